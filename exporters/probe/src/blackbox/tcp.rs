//! `tcp:` of a module.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_saphyr::{Location, Spanned};

use super::written::{Step, Tcp};
use super::{Problem, Reader, addressing};
use crate::tcp::{self, Expect, Settings};

impl Reader<'_> {
    pub(super) fn tcp(&mut self, written: Tcp, at: Location) -> Result<Settings, Problem> {
        let client = self.tls(written.tls_config, at)?;
        let steps = written.query_response.unwrap_or_default();
        let steps = steps.into_iter().map(|step| self.step(step.value, step.referenced));
        Ok(Settings {
            addressing: addressing(written.preferred_ip_protocol, written.ip_protocol_fallback),
            source: written.source_ip_address.map(|address| address.0),
            tls: written.tls,
            client,
            query_response: steps.collect::<Result<_, _>>()?,
        })
    }

    fn step(&self, written: Step, at: Location) -> Result<tcp::Step, Problem> {
        let bytes = written.expect_bytes.map(|bytes| self.bytes(bytes)).transpose()?;
        let expect = match (written.expect, bytes.filter(|bytes| !bytes.is_empty())) {
            (Some(_), Some(_)) => {
                let why = "expect and expect_bytes are both there: one of them is enough";
                return Err(Problem::Wrong(at, why.into()));
            }
            (Some(pattern), None) => Some(Expect::Line(pattern.0)),
            (None, bytes) => bytes.map(Expect::Bytes),
        };
        let labels: Vec<_> =
            written.labels.unwrap_or_default().into_iter().map(|label| (label.name.0, label.value)).collect();
        for (index, (name, _)) in labels.iter().enumerate() {
            if labels[..index].iter().any(|(other, _)| other == name) {
                return Err(Problem::Wrong(at, format!("the label {name} is there twice")));
            }
        }
        let send = written.send.map(|send| self.bytes(send)).transpose()?.unwrap_or_default();
        Ok(tcp::Step { expect, labels, send, starttls: written.starttls })
    }

    /// The bytes of a text, or of base64 behind `!!binary`.
    fn bytes(&self, text: Spanned<String>) -> Result<Vec<u8>, Problem> {
        if !self.is_binary(text.defined) {
            return Ok(text.value.into_bytes());
        }
        let packed: String = text.value.chars().filter(|c| !c.is_whitespace()).collect();
        STANDARD.decode(packed).map_err(|e| Problem::Wrong(text.referenced, format!("not base64: {e}")))
    }
}
