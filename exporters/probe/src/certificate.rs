//! The certificate prober: until when the certificates in files on disk are valid.
//!
//! A certificate that is renewed on disk and not taken up by its server is told by the tls prober; one that is not
//! renewed on disk is told here, before any server has it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use taffrail_core::metrics;

use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::freshness::Glob;
use crate::tls::certificate::{self, Certificate};

metrics! {
    /// Until when a certificate is valid, in seconds since 1970.
    NOT_AFTER: Gauge = "probe_certificate_not_after_timestamp_seconds" ["path", "subject", "issuer", "serial"];
    /// From when a certificate is valid, in seconds since 1970.
    NOT_BEFORE: Gauge = "probe_certificate_not_before_timestamp_seconds" ["path", "subject", "issuer", "serial"];
    /// When the first of all certificates that match expires, in seconds since 1970.
    EARLIEST: Gauge = "probe_certificate_earliest_expiry_timestamp_seconds" [];
    /// How many files match.
    FILES: Gauge = "probe_certificate_files" [];
    /// How many certificates are in them.
    CERTIFICATES: Gauge = "probe_certificate_certificates" [];
}

/// The largest file read: four times Debian's bundle of all authorities.
const MAX_FILE: u64 = 1 << 20;
/// The most files of one target.
const MAX_FILES: usize = 1000;
/// The most certificates of one target that have series of their own; the rest still counts for the earliest expiry.
const MAX_SERIES: usize = 100;
/// The longest text of a label, in characters.
const MAX_LABEL: usize = 256;

/// What certificates have to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How long each certificate has to be valid still; without it, until now.
    pub min_remaining: Option<Duration>,
}

/// A file's certificates.
struct Held {
    path: String,
    certificates: Vec<Certificate>,
}

/// Reads the target, an absolute glob of files in PEM or DER.
pub async fn probe(settings: &Settings, attempt: &mut Attempt<'_>) -> Result<(), Failure> {
    let glob = Glob::new(attempt.target).map_err(|error| Failure::Answer(error.to_string()))?;
    let reading = attempt.cx.files.run(attempt.target, move || read_all(&glob));
    let read = attempt.within(|| "reading files".into(), reading).await?;
    let files = read.map_err(|error| Failure::Answer(error.to_string()))?.map_err(Failure::Answer)?;
    let now_ms = attempt.cx.clock.now_ms();
    write(attempt, &files);
    judge(settings, &files, now_ms).map_err(Failure::Answer)
}

fn read_all(glob: &Glob) -> Result<Vec<Held>, String> {
    let paths = glob.paths(MAX_FILES).map_err(|error| error.to_string())?;
    let mut files = Vec::new();
    for path in paths {
        let read = read(&path).map_err(|why| format!("{}: {why}", path.display()))?;
        files.extend(read.map(|certificates| Held { path: path.display().to_string(), certificates }));
    }
    Ok(files)
}

/// The certificates in a file; nothing where it is no file, or gone.
fn read(path: &Path) -> Result<Option<Vec<Certificate>>, String> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| error.to_string())?,
    };
    if !file.metadata().map_err(|error| error.to_string())?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it is larger than {} KiB, which no certificate is", MAX_FILE >> 10));
    }
    parse(&bytes).map(Some)
}

/// The certificates of a text in PEM, or the one that the bytes are in DER.
fn parse(bytes: &[u8]) -> Result<Vec<Certificate>, String> {
    let pem = b"-----BEGIN ";
    if !bytes.windows(pem.len()).any(|window| window == pem) {
        let one = certificate::parse(bytes);
        return one
            .map(|one| vec![one])
            .map_err(|_| "it holds no certificate, neither in PEM nor in DER".to_owned());
    }
    let mut found = Vec::new();
    for der in CertificateDer::pem_slice_iter(bytes) {
        let der = der.map_err(|error| format!("it is damaged PEM: {error}"))?;
        found.push(certificate::parse(&der).map_err(|error| error.to_string())?);
    }
    match found.is_empty() {
        true => Err("it holds PEM, but no certificate: wanted `-----BEGIN CERTIFICATE-----`".to_owned()),
        false => Ok(found),
    }
}

fn write(attempt: &mut Attempt<'_>, files: &[Held]) {
    let all = || files.iter().flat_map(|file| file.certificates.iter().map(move |one| (file, one)));
    let out = &mut *attempt.out;
    out.put(&FILES, [], files.len() as f64);
    out.put(&CERTIFICATES, [], all().count() as f64);
    if let Some(earliest) = all().map(|(_, one)| one.not_after).min() {
        out.put(&EARLIEST, [], earliest as f64);
    }
    // Those that expire first are those that somebody asks for.
    let mut sorted: Vec<_> = all().collect();
    sorted.sort_by_key(|(_, one)| one.not_after);
    let mut seen = BTreeSet::new();
    for (file, one) in sorted.iter().take(MAX_SERIES) {
        let labels = [&file.path, &one.subject, &one.issuer, &one.serial].map(|text| short(text));
        // One certificate twice in one file is one series.
        if seen.insert(labels) {
            out.put(&NOT_AFTER, labels, one.not_after as f64);
            out.put(&NOT_BEFORE, labels, one.not_before as f64);
        }
    }
    if sorted.len() > MAX_SERIES {
        let rest = sorted.len() - MAX_SERIES;
        attempt.trail.say(format!("{rest} certificates that expire later have no series of their own"));
    }
}

fn short(text: &str) -> &str {
    text.char_indices().nth(MAX_LABEL).map_or(text, |(end, _)| &text[..end])
}

/// What is wrong, in words.
fn judge(settings: &Settings, files: &[Held], now_ms: i64) -> Result<(), String> {
    let now = now_ms / 1000;
    let least = settings.min_remaining.map_or(0, |least| least.as_secs() as i64);
    let all = files.iter().flat_map(|file| file.certificates.iter().map(move |one| (file, one)));
    let Some((file, first)) = all.clone().min_by_key(|(_, one)| one.not_after) else {
        return Err("no file with a certificate matches".to_owned());
    };
    let name =
        |file: &Held, one: &Certificate| format!("the certificate of {} in {}", one.subject, file.path);
    let left = first.not_after - now;
    if left < 0 {
        return Err(format!("{} expired {} days ago", name(file, first), -left / 86_400));
    }
    if left < least {
        let days = |seconds: i64| format!("{:.1}", seconds as f64 / 86_400.0);
        let name = name(file, first);
        return Err(format!("{name} expires in {} days, and {} should be left", days(left), days(least)));
    }
    match all.clone().find(|(_, one)| one.not_before > now) {
        Some((file, one)) => Err(format!("{} is not valid yet", name(file, one))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(not_before: i64, not_after: i64) -> Held {
        let certificate = Certificate {
            not_before,
            not_after,
            subject: "CN=shop".into(),
            issuer: "CN=authority".into(),
            dns_names: vec![],
            serial: "01".into(),
            fingerprint: String::new(),
        };
        Held { path: "/x.pem".into(), certificates: vec![certificate] }
    }

    #[test]
    fn what_is_wrong_is_said() {
        const DAY: i64 = 86_400;
        let settings = Settings { min_remaining: Some(Duration::from_secs(14 * 86_400)) };
        let judge = |files: &[Held]| judge(&settings, files, 100 * DAY * 1000);
        assert_eq!(judge(&[held(0, 114 * DAY)]), Ok(()));
        for (files, wanted) in [
            (vec![], "no file with a certificate matches"),
            (vec![held(0, 97 * DAY)], "the certificate of CN=shop in /x.pem expired 3 days ago"),
            (
                vec![held(0, 200 * DAY), held(0, 102 * DAY)],
                "the certificate of CN=shop in /x.pem expires in 2.0 days, and 14.0 should be left",
            ),
            (vec![held(101 * DAY, 200 * DAY)], "the certificate of CN=shop in /x.pem is not valid yet"),
        ] {
            assert_eq!(judge(&files), Err(wanted.to_owned()));
        }
    }

    #[test]
    fn what_holds_no_certificate_is_told_apart() {
        assert!(parse(b"hello").unwrap_err().contains("neither in PEM nor in DER"));
        let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(parse(key).unwrap_err().contains("but no certificate"));
        let cut = b"-----BEGIN CERTIFICATE-----\nMIIB";
        assert!(parse(cut).is_err());
    }
}
