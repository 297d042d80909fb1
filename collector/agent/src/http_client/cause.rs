//! Why a request failed, in words for a person: what is at the bottom of an error, certificates above all.

use std::error::Error;
use std::io;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, PeerIncompatible};

/// What is at the bottom of an error; what is above says only through how many hands it went.
pub fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    loop {
        if let Some(words) = of_tls(cause) {
            return words;
        }
        match cause.source() {
            Some(next) => cause = next,
            None => return cause.to_string(),
        }
    }
}

/// What an error of TLS means for who reads `tls_config`.
fn of_tls(error: &(dyn Error + 'static)) -> Option<String> {
    // What was made an error of input and output is not its source, but in it; so it went through two hands at least.
    let mut within = error;
    while let Some(inner) = within.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        within = inner;
    }
    let tls = within.downcast_ref::<rustls::Error>()?;
    Some(match tls {
        rustls::Error::InvalidCertificate(fault) => return of_certificate(fault),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it wants a certificate of ours: `cert_file` and `key_file` of `tls_config`".into()
        }
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::ServerDoesNotSupportTls12Or13,
        ) => "there is no version of TLS that both speak; see `min_version` of `tls_config`".into(),
        rustls::Error::InvalidMessage(_) => {
            "it does not speak TLS: is https right, or should it be http?".into()
        }
        _ => return None,
    })
}

fn of_certificate(fault: &CertificateError) -> Option<String> {
    Some(match fault {
        // Of another authority with the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is of no authority that is trusted; `ca_file` of `tls_config` names others"
                .into()
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("its certificate expired on {}", day(not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("its certificate is not valid yet, only from {}; are both clocks right?", day(not_before))
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            // They come as `DnsName("web.example")`.
            let plain = |name: &'_ String| name.split('"').nth(1).unwrap_or(name).to_owned();
            let presented: Vec<String> = presented.iter().map(plain).take(5).collect();
            format!(
                "its certificate is not for {}, only for {}; `server_name` of `tls_config` says what is right",
                expected.to_str(),
                presented.join(", ")
            )
        }
        _ => return None,
    })
}

/// `2026-01-31`, in UTC.
fn day(time: &UnixTime) -> String {
    let (year, month, day) = taffrail_wire::calendar::date((time.as_secs() / 86_400) as i64);
    format!("{year:04}-{month:02}-{day:02}")
}
