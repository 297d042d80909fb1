//! Targets behind TLS, proxies, redirects and tokens, scraped beside Prometheus.

pub mod kit;
mod memory;
mod proxy;
mod redirects;
mod tls;
mod tokens;
