//! What a certificate says, as labels (RFC 5280).

use std::fmt::Write;

use aws_lc_rs::digest;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::name;

/// The facts of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Valid from, in seconds since 1970-01-01 UTC.
    pub not_before: i64,
    /// Valid until, in seconds since 1970-01-01 UTC.
    pub not_after: i64,
    /// Whose it is, most specific part first: `CN=shop.example,O=Shop`.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The DNS names it is for.
    pub dns_names: Vec<String>,
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// The SHA-256 of all of it, in hexadecimal.
    pub fingerprint: String,
}

/// Bytes that are no certificate.
#[derive(Debug, thiserror::Error)]
#[error("not a certificate in DER: {0}")]
pub struct NotACertificate(String);

type Parsed = CertificateInner<Raw>;

/// Reads a certificate in DER.
pub fn parse(der: &[u8]) -> Result<Certificate, NotACertificate> {
    let certificate = read(der)?;
    let body = &certificate.tbs_certificate;
    Ok(Certificate {
        not_before: body.validity.not_before.to_unix_duration().as_secs() as i64,
        not_after: body.validity.not_after.to_unix_duration().as_secs() as i64,
        subject: name::text(&body.subject),
        issuer: name::text(&body.issuer),
        dns_names: dns_names(&certificate),
        serial: serial(body.serial_number.as_bytes()),
        fingerprint: hex(digest::digest(&digest::SHA256, der).as_ref()),
    })
}

/// From and until when a certificate is valid, in seconds since 1970-01-01 UTC.
pub fn validity(der: &[u8]) -> Result<(i64, i64), NotACertificate> {
    let validity = read(der)?.tbs_certificate.validity;
    let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs() as i64;
    Ok((seconds(validity.not_before), seconds(validity.not_after)))
}

fn read(der: &[u8]) -> Result<Parsed, NotACertificate> {
    Parsed::from_der(der).map_err(|e| NotACertificate(e.to_string()))
}

fn dns_names(certificate: &Parsed) -> Vec<String> {
    // A broken extension is the verifier's business; here it holds no names.
    let Ok(Some((_, names))) = certificate.tbs_certificate.get::<SubjectAltName>() else { return Vec::new() };
    let names = names.0.into_iter();
    names.filter_map(|n| if let GeneralName::DnsName(n) = n { Some(n.to_string()) } else { None }).collect()
}

/// Whole bytes, without those in front that are zero.
fn serial(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    hex(&bytes[zeros..])
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
