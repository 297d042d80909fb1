//! What was seen of a server's TLS, as metrics.

use rustls::{ClientConnection, ProtocolVersion};
use taffrail_core::{Out, label, metrics};

use super::certificate::{self, Certificate};
use super::verify::Presented;
use crate::trail::Trail;

metrics! {
    /// When the first of the certificates that the server sent expires, in seconds since 1970-01-01 UTC; also of certificates that are not trusted, or expired.
    EARLIEST: Gauge = "probe_ssl_earliest_cert_expiry" [];
    /// Until when the connection is trusted: of all chains to a trusted authority, the one that holds longest, in seconds since 1970-01-01 UTC.
    LAST_CHAIN: Gauge = "probe_ssl_last_chain_expiry_timestamp_seconds" [];
    /// The server's own certificate, in the labels; always 1.
    CHAIN_INFO: Gauge = "probe_ssl_last_chain_info" ["fingerprint_sha256", "subject", "issuer", "subjectalternative", "serialnumber"];
    /// The version of TLS that was agreed on, in the label; always 1.
    VERSION: Gauge = "probe_tls_version_info" ["version"];
    /// The cipher that was agreed on, in the label; always 1.
    CIPHER: Gauge = "probe_tls_cipher_info" ["cipher"];
}

/// What is published where nothing was verified: blackbox_exporter's value for "no chain", the year 1.
const NO_CHAIN: f64 = -62_135_596_800.0;

/// What was seen of one connection.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    leaf: Option<Certificate>,
    earliest: Option<i64>,
    last_chain: Option<i64>,
    /// Version and cipher, when the handshake was completed.
    agreed: Option<(&'static str, String)>,
}

impl Seen {
    /// What the server presented, with the connection if there is one.
    pub fn new(
        presented: Option<&Presented>,
        connection: Option<&ClientConnection>,
        trail: &mut Trail,
    ) -> Self {
        let mut seen = Seen { agreed: connection.and_then(agreed), ..Seen::default() };
        let Some(presented) = presented else { return seen };
        for der in &presented.chain {
            match certificate::parse(der) {
                Ok(facts) => {
                    trail.say(format!("Certificate of {}, signed by {}", facts.subject, facts.issuer));
                    seen.earliest = Some(seen.earliest.map_or(facts.not_after, |at| at.min(facts.not_after)));
                    seen.leaf.get_or_insert(facts);
                }
                Err(error) => trail.say(format!("A certificate is unreadable: {error}")),
            }
        }
        seen.last_chain = presented.verified.iter().max().copied();
        seen
    }

    /// Writes the metrics, `cipher` among them if wanted: of a TCP probe blackbox_exporter does not tell it.
    pub fn write(&self, out: &mut Out, cipher: bool) {
        if let Some(earliest) = self.earliest {
            out.put(&EARLIEST, [], earliest as f64);
        }
        if let Some(leaf) = &self.leaf {
            let names = leaf.dns_names.join(",");
            let [subject, issuer, names] =
                [&leaf.subject, &leaf.issuer, &names].map(|t| label::value(t.as_bytes()));
            let labels = [&*leaf.fingerprint, &*subject, &*issuer, &*names, &*leaf.serial];
            out.put(&CHAIN_INFO, labels, 1.0);
        }
        if let Some((version, name)) = &self.agreed {
            out.put(&VERSION, [*version], 1.0);
            if cipher {
                out.put(&CIPHER, [name], 1.0);
            }
            out.put(&LAST_CHAIN, [], self.last_chain.map_or(NO_CHAIN, |at| at as f64));
        }
    }
}

fn agreed(connection: &ClientConnection) -> Option<(&'static str, String)> {
    let version = match connection.protocol_version()? {
        ProtocolVersion::TLSv1_2 => "TLS 1.2",
        ProtocolVersion::TLSv1_3 => "TLS 1.3",
        _ => "unknown",
    };
    let suite = connection.negotiated_cipher_suite()?.suite();
    let name = suite.as_str().unwrap_or("unknown");
    // The registry's names (IANA) have no version in them.
    Some((version, name.replacen("TLS13_", "TLS_", 1)))
}
