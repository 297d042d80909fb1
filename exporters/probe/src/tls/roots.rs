//! The authorities that are trusted: the machine's, or those of a file.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use taffrail_core::Clock;

use super::certificate;

/// A set of trusted certificates. Cheap to clone.
#[derive(Clone)]
pub struct Roots(Arc<Set>);

/// Trusted certificates; the three lists go side by side.
struct Set {
    certificates: Vec<CertificateDer<'static>>,
    anchors: Vec<TrustAnchor<'static>>,
    /// In seconds since 1970-01-01 UTC: verification needs it, and an anchor does not tell.
    not_after: Vec<i64>,
    known: Mutex<HashMap<ChainId, Arc<[Window]>>>,
}

/// What a server presented, all of it: the SHA-256 of its certificates.
pub(super) type ChainId = [u8; 32];

/// When all certificates of a chain to a trusted one are valid, in seconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

/// The most chains that are remembered.
const MAX_KNOWN: usize = 2048;

/// A text that holds no certificates.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// Not PEM.
    #[error("it is not PEM: {0}")]
    Pem(String),
    /// No certificate in it that can be used.
    #[error("it holds no certificate that can be trusted: wanted `-----BEGIN CERTIFICATE-----` blocks")]
    Empty,
}

impl Roots {
    /// Trusts these; what is no certificate is left out.
    pub fn new(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        let mut set = Set {
            certificates: Vec::new(),
            anchors: Vec::new(),
            not_after: Vec::new(),
            known: Mutex::default(),
        };
        for der in certificates {
            let Ok(anchor) = webpki::anchor_from_trusted_cert(&der).map(|anchor| anchor.to_owned()) else {
                continue;
            };
            let Ok((_, not_after)) = certificate::validity(&der) else { continue };
            set.not_after.push(not_after);
            set.anchors.push(anchor);
            set.certificates.push(der);
        }
        Roots(Arc::new(set))
    }

    /// Trusts the certificates of a PEM text.
    pub fn from_pem(pem: &[u8]) -> Result<Self, RootsError> {
        let mut certificates = Vec::new();
        for der in CertificateDer::pem_slice_iter(pem) {
            certificates.push(der.map_err(|e| RootsError::Pem(e.to_string()))?);
        }
        let roots = Roots::new(certificates);
        if roots.is_empty() { Err(RootsError::Empty) } else { Ok(roots) }
    }

    /// Trusts nothing.
    pub fn is_empty(&self) -> bool {
        self.0.anchors.is_empty()
    }

    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.0.anchors
    }

    /// Until when a trusted certificate itself is valid, in seconds since 1970-01-01 UTC.
    pub(super) fn not_after(&self, anchor: &TrustAnchor<'_>) -> Option<i64> {
        let same = |a: &TrustAnchor<'_>| {
            a.subject == anchor.subject && a.subject_public_key_info == anchor.subject_public_key_info
        };
        // One key may be certified twice; the longer validity is the one that counts.
        let all = self.0.anchors.iter().zip(&self.0.not_after);
        all.filter(|(a, _)| same(a)).map(|(_, not_after)| *not_after).max()
    }

    /// The chains from what a server presented to trusted certificates, where that was found out before. Signatures do
    /// not change, and checking them is most of what a probe costs; names and times are checked each time.
    pub(super) fn known(&self, id: &ChainId) -> Option<Arc<[Window]>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Remembers chains that were found.
    pub(super) fn remember(&self, id: ChainId, chains: Arc<[Window]>) {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Certificates change now and then: starting over is rare, and bounds what is kept.
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(id, chains);
    }

    /// Whether this very certificate is trusted.
    pub(super) fn holds(&self, certificate: &CertificateDer<'_>) -> bool {
        self.0.certificates.iter().any(|trusted| trusted.as_ref() == certificate.as_ref())
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.0.anchors.len())
    }
}

/// The machine's authorities, read when they are first needed. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SystemRoots(Arc<OnceLock<Roots>>);

impl SystemRoots {
    /// These instead of the machine's.
    pub fn fixed(roots: Roots) -> Self {
        let cell = OnceLock::new();
        let _ = cell.set(roots);
        SystemRoots(Arc::new(cell))
    }

    /// The authorities. `SSL_CERT_FILE` and `SSL_CERT_DIR` say where they are, else the usual places.
    pub fn get(&self) -> &Roots {
        self.0.get_or_init(|| Roots::new(rustls_native_certs::load_native_certs().certs))
    }
}

/// rustls asks for the time here.
#[derive(Debug)]
pub(super) struct Time(pub(super) Clock);

impl rustls::time_provider::TimeProvider for Time {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let ns = u64::try_from(self.0.now_ns()).ok()?;
        Some(rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_nanos(ns)))
    }
}
