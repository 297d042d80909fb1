//! `tls_config`.

use serde_saphyr::Location;

use super::written::TlsConfig;
use super::{Problem, Reader};
use crate::tls::{Client, Options, Version};

impl Reader<'_> {
    pub(super) fn tls(&mut self, written: Option<TlsConfig>, at: Location) -> Result<Client, Problem> {
        let written = written.unwrap_or_default();
        let ca = self.source(at, "ca", written.ca, written.ca_file)?;
        let certificate = self.source(at, "cert", written.cert, written.cert_file)?;
        let key = self.source(at, "key", written.key, written.key_file)?;
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(Problem::Wrong(
                    at,
                    "tls_config: a certificate without its key: add key_file".into(),
                ));
            }
            (None, Some(_)) => {
                return Err(Problem::Wrong(
                    at,
                    "tls_config: a key without its certificate: add cert_file".into(),
                ));
            }
        };
        let too_old = "only TLS 1.2 and 1.3 are spoken here";
        let min = match written.min_version.map(|version| version.0) {
            Some(None) => {
                self.warn(&format!(
                    "{too_old}: a server that knows nothing newer fails, whatever min_version says"
                ));
                Version::Tls12
            }
            version => version.flatten().unwrap_or(Version::Tls12),
        };
        let max = match written.max_version.map(|version| version.0) {
            Some(None) => {
                return Err(Problem::Refused(format!("tls_config: {too_old}, and max_version is older")));
            }
            version => version.flatten().unwrap_or(Version::Tls13),
        };
        if max < min {
            return Err(Problem::Wrong(at, "tls_config: max_version is older than min_version".into()));
        }
        let options = Options {
            ca,
            identity,
            server_name: written.server_name.filter(|name| !name.is_empty()),
            insecure_skip_verify: written.insecure_skip_verify,
            min,
            max,
        };
        Client::new(options).map_err(|error| Problem::Refused(format!("tls_config: {error}")))
    }
}
