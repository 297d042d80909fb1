//! A module file as it is written: every key that blackbox_exporter 0.28 knows (its `CONFIGURATION.md`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_saphyr::Spanned;

use super::scalar::{Address, Header, LabelName, Packing, Period, Protocol, Regex, Size, TlsVersion, Verb};

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) modules: BTreeMap<String, Spanned<Module>>,
}

/// One module.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Module {
    pub(super) prober: Spanned<String>,
    pub(super) timeout: Option<Period>,
    pub(super) http: Option<Spanned<Http>>,
    pub(super) tcp: Option<Spanned<Tcp>>,
    pub(super) dns: Option<Spanned<Dns>>,
    pub(super) icmp: Option<Spanned<Icmp>>,
    /// Sections of probers that are not here.
    #[serde(rename = "grpc", alias = "unix", alias = "websocket")]
    pub(super) _other: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Http {
    pub(super) preferred_ip_protocol: Option<Protocol>,
    pub(super) ip_protocol_fallback: Option<bool>,
    pub(super) valid_status_codes: Option<Vec<u16>>,
    pub(super) valid_http_versions: Option<Vec<String>>,
    pub(super) method: Option<Verb>,
    pub(super) headers: Option<BTreeMap<Header, String>>,
    pub(super) http_headers: Option<BTreeMap<Header, HeaderValues>>,
    pub(super) body: Option<String>,
    pub(super) body_file: Option<PathBuf>,
    pub(super) body_size_limit: Option<Size>,
    pub(super) compression: Option<Packing>,
    pub(super) follow_redirects: Option<bool>,
    pub(super) no_follow_redirects: Option<bool>,
    pub(super) fail_if_ssl: bool,
    pub(super) fail_if_not_ssl: bool,
    pub(super) fail_if_body_matches_regexp: Option<Vec<Regex>>,
    pub(super) fail_if_body_not_matches_regexp: Option<Vec<Regex>>,
    pub(super) fail_if_header_matches: Option<Vec<HeaderRule>>,
    pub(super) fail_if_header_not_matches: Option<Vec<HeaderRule>>,
    pub(super) fail_if_body_json_matches_cel: Option<IgnoredAny>,
    pub(super) fail_if_body_json_not_matches_cel: Option<IgnoredAny>,
    pub(super) tls_config: Option<TlsConfig>,
    pub(super) basic_auth: Option<BasicAuth>,
    pub(super) authorization: Option<Authorization>,
    pub(super) bearer_token: Option<String>,
    pub(super) bearer_token_file: Option<PathBuf>,
    pub(super) oauth2: Option<IgnoredAny>,
    pub(super) enable_http2: Option<bool>,
    pub(super) enable_http3: bool,
    pub(super) proxy_url: Option<String>,
    pub(super) no_proxy: Option<String>,
    pub(super) proxy_from_environment: bool,
    pub(super) proxy_connect_header: Option<BTreeMap<Header, Vec<String>>>,
    pub(super) skip_resolve_phase_with_proxy: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HeaderValues {
    pub(super) values: Vec<String>,
    pub(super) secrets: Vec<String>,
    pub(super) files: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderRule {
    pub(super) header: Header,
    pub(super) regexp: Regex,
    #[serde(default)]
    pub(super) allow_missing: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct BasicAuth {
    pub(super) username: Option<String>,
    pub(super) username_file: Option<PathBuf>,
    pub(super) password: Option<String>,
    pub(super) password_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Authorization {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) credentials: Option<String>,
    pub(super) credentials_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TlsConfig {
    pub(super) ca: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) cert: Option<String>,
    pub(super) cert_file: Option<PathBuf>,
    pub(super) key: Option<String>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) server_name: Option<String>,
    pub(super) insecure_skip_verify: bool,
    pub(super) min_version: Option<TlsVersion>,
    pub(super) max_version: Option<TlsVersion>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Tcp {
    pub(super) preferred_ip_protocol: Option<Protocol>,
    pub(super) ip_protocol_fallback: Option<bool>,
    pub(super) source_ip_address: Option<Address>,
    pub(super) query_response: Option<Vec<Spanned<Step>>>,
    pub(super) tls: bool,
    pub(super) tls_config: Option<TlsConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Step {
    pub(super) expect: Option<Regex>,
    /// Text, or bytes behind `!!binary`; so with `send`.
    pub(super) expect_bytes: Option<Spanned<String>>,
    pub(super) send: Option<Spanned<String>>,
    pub(super) labels: Option<Vec<Label>>,
    pub(super) starttls: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Label {
    pub(super) name: LabelName,
    #[serde(default)]
    pub(super) value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Dns {
    pub(super) preferred_ip_protocol: Option<Protocol>,
    pub(super) ip_protocol_fallback: Option<bool>,
    pub(super) source_ip_address: Option<Address>,
    pub(super) transport_protocol: Option<String>,
    pub(super) dns_over_tls: bool,
    pub(super) tls_config: Option<TlsConfig>,
    pub(super) query_name: Option<String>,
    pub(super) query_type: Option<String>,
    pub(super) query_class: Option<String>,
    pub(super) recursion_desired: Option<bool>,
    pub(super) valid_rcodes: Option<Vec<String>>,
    pub(super) validate_answer_rrs: Option<Validator>,
    pub(super) validate_authority_rrs: Option<Validator>,
    pub(super) validate_additional_rrs: Option<Validator>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Validator {
    pub(super) fail_if_matches_regexp: Option<Vec<Regex>>,
    pub(super) fail_if_all_match_regexp: Option<Vec<Regex>>,
    pub(super) fail_if_not_matches_regexp: Option<Vec<Regex>>,
    pub(super) fail_if_none_matches_regexp: Option<Vec<Regex>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Icmp {
    pub(super) preferred_ip_protocol: Option<Protocol>,
    pub(super) ip_protocol_fallback: Option<bool>,
    pub(super) source_ip_address: Option<Address>,
    pub(super) payload_size: Option<u32>,
    pub(super) dont_fragment: bool,
    pub(super) ttl: Option<u8>,
}
