//! Authorities and certificates of this test run.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Seconds since 1970-01-01 UTC at which what is made here ends, unless a test says otherwise.
pub const FAR: i64 = 4_070_908_800;

/// An authority that clients trust, and one that it signed for.
pub struct Pki {
    root: CertifiedIssuer<'static, KeyPair>,
    between: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate as a server has it.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

/// What a certificate is like.
pub struct Wish {
    pub name: &'static str,
    pub until: i64,
    /// Signed by the authority in between, which is part of the chain.
    pub between: bool,
}

pub const GOOD: Wish = Wish { name: "localhost", until: FAR, between: false };

/// Valid from the year 2000 on.
fn valid_until(params: &mut CertificateParams, until: i64) {
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(until as u64);
}

fn authority(name: &str, until: i64) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "Taffrail, tests");
    valid_until(&mut params, until);
    params
}

fn leaf(wish: &Wish) -> CertificateParams {
    let names = vec![wish.name.to_owned(), format!("www.{}", wish.name), "127.0.0.1".to_owned()];
    let names = if wish.name == "localhost" { names } else { names[..2].to_vec() };
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, wish.name);
    params.distinguished_name.push(DnType::OrganizationalUnitName, "a+b");
    params.distinguished_name.push(DnType::CountryName, "DE");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    valid_until(&mut params, wish.until);
    params
}

impl Pki {
    pub fn new() -> Self {
        Pki::until(FAR)
    }

    /// With an authority that itself ends.
    pub fn until(end: i64) -> Self {
        let root =
            CertifiedIssuer::self_signed(authority("root", end), KeyPair::generate().unwrap()).unwrap();
        let between = authority("between", FAR - 86_400);
        let between = CertifiedIssuer::signed_by(between, KeyPair::generate().unwrap(), &root).unwrap();
        Pki { root, between }
    }

    /// The trusted authority, in PEM.
    pub fn pem(&self) -> String {
        self.root.pem()
    }

    /// A certificate of this authority.
    pub fn issue(&self, wish: &Wish) -> Identity {
        let key = KeyPair::generate().unwrap();
        let issuer = if wish.between { &self.between } else { &self.root };
        let certificate = leaf(wish).signed_by(&key, issuer).unwrap();
        let mut chain = vec![certificate.der().clone()];
        if wish.between {
            chain.push(self.between.der().clone());
        }
        Identity { chain, key }
    }
}

impl Identity {
    /// A certificate of nobody's.
    pub fn self_signed(wish: &Wish) -> Self {
        let key = KeyPair::generate().unwrap();
        Identity { chain: vec![leaf(wish).self_signed(&key).unwrap().der().clone()], key }
    }

    /// For a server that offers `alpn`.
    pub fn server(&self, alpn: &[&str]) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}
