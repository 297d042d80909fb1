//! Verifying what a server presents, and keeping it whatever the outcome: when a certificate expired is told best by
//! the one that did.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use super::certificate;
use super::roots::{ChainId, Roots, Window};

/// What a server presented, and what came of verifying it.
#[derive(Clone, Debug, Default)]
pub struct Presented {
    /// The certificates, the server's own first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Of every chain to a trusted certificate, when its first certificate expires, in seconds since 1970-01-01 UTC.
    pub verified: Vec<i64>,
    /// Why it is not trusted.
    pub problem: Option<String>,
}

/// Verifies the certificates of one connection, and keeps them.
#[derive(Debug)]
pub(super) struct Recorder {
    /// What is trusted; without it, everything is.
    pub(super) roots: Option<Roots>,
    pub(super) provider: std::sync::Arc<CryptoProvider>,
    pub(super) presented: Mutex<Option<Presented>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        let mut presented =
            Presented { chain: chain.map(|der| der.clone().into_owned()).collect(), ..Presented::default() };
        let outcome = match &self.roots {
            None => Ok(Vec::new()),
            Some(roots) => verify(roots, &self.provider, end_entity, intermediates, name, now),
        };
        let result = match outcome {
            Ok(verified) => {
                presented.verified = verified;
                Ok(ServerCertVerified::assertion())
            }
            Err(error) => {
                presented.problem = Some(explain(&error, &presented.chain, name, now));
                Err(Error::InvalidCertificate(error))
            }
        };
        *self.presented.lock().unwrap_or_else(PoisonError::into_inner) = Some(presented);
        result
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Finds every chain from the server's certificate to a trusted one: when the first certificate of each expires.
fn verify(
    roots: &Roots,
    provider: &CryptoProvider,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<Vec<i64>, CertificateError> {
    let parsed = EndEntityCert::try_from(end_entity).map_err(classify)?;
    parsed.verify_is_valid_for_subject_name(name).map_err(classify)?;
    let seconds = now.as_secs() as i64;
    // Its own certificate in the list of trusted ones: a chain of one, which webpki refuses if it may sign others.
    if roots.holds(end_entity) {
        let (not_before, not_after) =
            certificate::validity(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        return match seconds {
            early if early < not_before => Err(CertificateError::NotValidYet),
            late if late > not_after => Err(CertificateError::Expired),
            _ => Ok(vec![not_after]),
        };
    }
    let id = id(end_entity, intermediates);
    let holds = |window: &Window| (window.not_before..=window.not_after).contains(&seconds);
    let valid =
        |chains: &[Window]| chains.iter().filter(|w| holds(w)).map(|w| w.not_after).collect::<Vec<_>>();
    if let Some(ends) = roots.known(&id).map(|chains| valid(&chains)).filter(|ends| !ends.is_empty()) {
        return Ok(ends);
    }
    let chains = search(roots, provider, &parsed, end_entity, intermediates, now)?;
    let ends = valid(&chains);
    if ends.is_empty() {
        // A trusted certificate that ended is not trusted any more, though webpki does not ask.
        return Err(CertificateError::UnknownIssuer);
    }
    roots.remember(id, chains.into());
    Ok(ends)
}

/// What the certificates are known by.
fn id(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> ChainId {
    let mut hash = digest::Context::new(&digest::SHA256);
    for der in std::iter::once(end_entity).chain(intermediates) {
        // With lengths, so that no other cut of the same bytes has the same hash.
        hash.update(&(der.len() as u64).to_be_bytes());
        hash.update(der);
    }
    let mut id = ChainId::default();
    id.copy_from_slice(hash.finish().as_ref());
    id
}

/// Finds every chain to a trusted certificate whose signatures, uses and times are right.
fn search(
    roots: &Roots,
    provider: &CryptoProvider,
    parsed: &EndEntityCert<'_>,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<Vec<Window>, CertificateError> {
    let window = |der: &[u8]| {
        let (not_before, not_after) =
            certificate::validity(der).map_err(|_| CertificateError::BadEncoding)?;
        Ok::<_, CertificateError>(Window { not_before, not_after })
    };
    let leaf = window(end_entity)?;
    let found = RefCell::new(Vec::new());
    // Refusing each path that was found makes webpki look for the next one.
    let keep = |path: &VerifiedPath<'_>| -> Result<(), webpki::Error> {
        let mut all = leaf;
        for cert in path.intermediate_certificates() {
            if let Ok(one) = window(&cert.der()) {
                all.not_before = all.not_before.max(one.not_before);
                all.not_after = all.not_after.min(one.not_after);
            }
        }
        all.not_after = all.not_after.min(roots.not_after(path.anchor()).unwrap_or(i64::MAX));
        found.borrow_mut().push(all);
        Err(webpki::Error::UnknownIssuer)
    };
    let outcome = parsed.verify_for_usage(
        provider.signature_verification_algorithms.all,
        roots.anchors(),
        intermediates,
        now,
        KeyUsage::server_auth(),
        None,
        Some(&keep),
    );
    let found = found.into_inner();
    match outcome {
        _ if !found.is_empty() => Ok(found),
        Err(error) => Err(classify(error)),
        Ok(_) => Err(CertificateError::UnknownIssuer),
    }
}

fn classify(error: webpki::Error) -> CertificateError {
    match error {
        webpki::Error::CertExpired { .. } => CertificateError::Expired,
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        webpki::Error::CertNotValidForName(_) => CertificateError::NotValidForName,
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::BadDer | webpki::Error::BadDerTime => CertificateError::BadEncoding,
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        other => CertificateError::Other(rustls::OtherError(std::sync::Arc::new(other))),
    }
}

/// What is wrong, and what would be right.
fn explain(
    error: &CertificateError,
    chain: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: UnixTime,
) -> String {
    let facts: Vec<_> = chain.iter().filter_map(|der| certificate::parse(der).ok()).collect();
    let (Some(leaf), Some(last)) = (facts.first(), facts.last()) else {
        return "the server's certificate cannot be read".into();
    };
    let now = now.as_secs() as i64;
    match error {
        CertificateError::Expired => {
            let expired = facts.iter().filter(|c| c.not_after < now).min_by_key(|c| c.not_after);
            match expired {
                Some(c) => format!("the certificate of {} expired on {}", c.subject, date(c.not_after)),
                None => "a certificate of the chain expired".into(),
            }
        }
        CertificateError::NotValidYet => {
            let early = facts.iter().find(|c| c.not_before > now).unwrap_or(leaf);
            format!("the certificate of {} is not valid before {}", early.subject, date(early.not_before))
        }
        CertificateError::NotValidForName => {
            let mut names = leaf.dns_names.clone();
            names.truncate(10);
            let names = if names.is_empty() { "no DNS name".into() } else { names.join(", ") };
            format!("the certificate is not for {}, but for {names}", name.to_str())
        }
        CertificateError::UnknownIssuer if leaf.subject == leaf.issuer => {
            "the certificate is self-signed: ca_file can name it as trusted".into()
        }
        CertificateError::UnknownIssuer => format!(
            "no trusted authority: nothing trusted signed for {}; the server may not send its intermediate \
             certificates, or ca_file must name that authority",
            last.issuer
        ),
        CertificateError::BadSignature => format!(
            "the certificate says it is signed by {}, and the trusted authority of that name did not sign it: \
             ca_file may hold an older key of it",
            last.issuer
        ),
        other => format!("the certificate is not accepted: {other}"),
    }
}

/// A time for people, in UTC.
fn date(seconds: i64) -> String {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + since)
}
