//! `dns:` and `icmp:` of a module.

use serde_saphyr::Location;

use super::scalar::Regex;
use super::written::{Dns, Icmp, Validator};
use super::{Problem, Reader, addressing};
use crate::dns::{Checks, Question, Settings, Transport, numbers};
use crate::icmp::{self, MAX_PAYLOAD};

impl Reader<'_> {
    pub(super) fn dns(&mut self, written: Dns, at: Location) -> Result<Settings, Problem> {
        let wrong = |why: String| Problem::Wrong(at, format!("dns: {why}"));
        let Some(name) = written.query_name.filter(|name| !name.is_empty()) else {
            return Err(wrong("query_name is missing: the name to ask for".into()));
        };
        let kind = written.query_type.as_deref().filter(|text| !text.is_empty()).unwrap_or("ANY");
        let kind = numbers::kind(kind).ok_or_else(|| {
            wrong(format!("query_type `{kind}` is no type of records: wanted A, AAAA, MX or its like"))
        })?;
        let class = written.query_class.as_deref().filter(|text| !text.is_empty()).unwrap_or("IN");
        let class = numbers::class(class)
            .ok_or_else(|| wrong(format!("query_class `{class}` is no class: wanted IN, CH or HS")))?;
        let question = Question::new(&name, kind, class).map_err(|e| wrong(format!("query_name: {e}")))?;
        let mut settings = Settings::new(question);
        settings.addressing = addressing(written.preferred_ip_protocol, written.ip_protocol_fallback);
        settings.source = written.source_ip_address.map(|address| address.0);
        settings.transport = match written.transport_protocol.as_deref() {
            None | Some("" | "udp") => Transport::Udp,
            Some("tcp") => Transport::Tcp,
            Some(other) => {
                return Err(wrong(format!("transport_protocol `{other}` is not known: wanted udp or tcp")));
            }
        };
        if written.dns_over_tls {
            return Err(Problem::Refused("dns_over_tls is not here: ask over TCP without it".into()));
        }
        settings.recursion = written.recursion_desired.unwrap_or(true);
        let rcodes = written.valid_rcodes.unwrap_or_default();
        if !rcodes.is_empty() {
            let read = |name: &String| {
                let wanted = numbers::rcodes();
                numbers::rcode(name).ok_or_else(|| {
                    wrong(format!("valid_rcodes: `{name}` is no response code: wanted {wanted}"))
                })
            };
            settings.rcodes = rcodes.iter().map(read).collect::<Result<_, _>>()?;
        }
        settings.answer = checks(written.validate_answer_rrs);
        settings.authority = checks(written.validate_authority_rrs);
        settings.additional = checks(written.validate_additional_rrs);
        Ok(settings)
    }
}

fn checks(written: Option<Validator>) -> Checks {
    let written = written.unwrap_or_default();
    let all = |list: Option<Vec<Regex>>| list.unwrap_or_default().into_iter().map(|regex| regex.0).collect();
    Checks {
        none_may: all(written.fail_if_matches_regexp),
        not_all: all(written.fail_if_all_match_regexp),
        all_must: all(written.fail_if_not_matches_regexp),
        some_must: all(written.fail_if_none_matches_regexp),
    }
}

pub(super) fn icmp(written: &Icmp) -> icmp::Settings {
    let size = written.payload_size.filter(|size| *size > 0).and_then(|size| usize::try_from(size).ok());
    icmp::Settings {
        addressing: addressing(written.preferred_ip_protocol.clone(), written.ip_protocol_fallback),
        source: written.source_ip_address.as_ref().map(|address| address.0),
        payload_size: size.map(|size| size.min(MAX_PAYLOAD)),
        dont_fragment: written.dont_fragment,
        ttl: Some(written.ttl.unwrap_or(64)).filter(|ttl| *ttl > 0),
    }
}
