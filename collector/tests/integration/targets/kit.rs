//! Servers of pages that speak TLS and HTTP/2, the certificates that they show, and what is asked of both scrapers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::SystemTime;

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::Value;
use taffrail_tests::{Prometheus, Taffrail, Version as Release, wait_for};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::support::{SOON, status};

/// A request that came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub version: Version,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    /// The value of a header, if it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A server that remembers what was asked.
pub struct Web {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    runtime: Option<Runtime>,
}

/// A page with one sample.
pub fn page() -> Response<Full<Bytes>> {
    let page = Response::builder().header("content-type", "text/plain; version=0.0.4");
    page.body(Full::from("# TYPE answered counter\nanswered 1\n")).unwrap()
}

/// An answer with a status, headers and a text.
pub fn answer(status: u16, headers: &[(&str, &str)], text: &str) -> Response<Full<Bytes>> {
    let answer = Response::builder().status(status);
    let answer = headers.iter().fold(answer, |answer, (name, value)| answer.header(*name, *value));
    answer.body(Full::from(text.to_owned())).unwrap()
}

impl Web {
    /// Serves on a free port, by TLS where there is a config for it.
    pub fn start(
        tls: Option<ServerConfig>,
        answer: impl Fn(&Asked) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (asked.clone(), Arc::new(answer));
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (seen, answer, tls) = (seen.clone(), answer.clone(), tls.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (seen, answer) = (seen.clone(), answer.clone());
                        async move {
                            let (head, body) = request.into_parts();
                            let asked = Asked {
                                path: head.uri.to_string(),
                                version: head.version,
                                headers: head.headers,
                                body: body
                                    .collect()
                                    .await
                                    .map(http_body_util::Collected::to_bytes)
                                    .unwrap_or_default(),
                            };
                            let given = answer(&asked);
                            seen.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
                            Ok::<_, Infallible>(given)
                        }
                    });
                    serve(stream, tls, service).await;
                });
            }
        });
        Web { port, asked, connections, runtime: Some(runtime) }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve<S>(stream: TcpStream, tls: Option<TlsAcceptor>, service: S)
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible>
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    // Who hangs up, or does not like the certificate, is done.
    let Some(tls) = tls else {
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        return;
    };
    let Ok(stream) = tls.accept(stream).await else { return };
    let second = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let stream = TokioIo::new(stream);
    if second {
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(stream, service).await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await;
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An authority that signs certificates.
pub struct Pki(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
pub struct Pair {
    pub cert: String,
    pub key: String,
}

impl Pki {
    pub fn new() -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        });
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Pki(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate of this authority, changed by `change`.
    pub fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let key = KeyPair::generate().unwrap();
        let cert = params(change).signed_by(&key, &self.0).unwrap();
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }

    /// A server that lets in only whom this authority has signed for.
    pub fn insist(&self, pair: &Pair) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
        let builder = ServerConfig::builder().with_client_cert_verifier(verifier);
        pair.with(|chain, key| builder.with_single_cert(chain, key).unwrap())
    }
}

/// What a certificate for loopback says, changed by `change`.
fn params(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    params
}

impl Pair {
    /// A certificate that nobody but itself has signed.
    pub fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let cert = params(change).self_signed(&key).unwrap();
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }

    fn with<T>(&self, make: impl FnOnce(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) -> T) -> T {
        let chain = CertificateDer::pem_slice_iter(self.cert.as_bytes()).map(Result::unwrap).collect();
        make(chain, PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap())
    }

    /// A server with this certificate, of these versions of TLS, which speaks HTTP/2 where it is asked to.
    pub fn server(&self, versions: &[&'static rustls::SupportedProtocolVersion]) -> ServerConfig {
        let builder = ServerConfig::builder_with_protocol_versions(versions).with_no_client_auth();
        let mut config = self.with(|chain, key| builder.with_single_cert(chain, key).unwrap());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    /// Writes both parts to files: certificate, key.
    pub fn write(&self, dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (cert, key) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
        std::fs::write(&cert, &self.cert).unwrap();
        std::fs::write(&key, &self.key).unwrap();
        (cert, key)
    }
}

/// Of each job: whether its target is up, and what is said if not.
pub type Verdicts = BTreeMap<String, (bool, String)>;

/// The last verdict on the target of each job, once each has been asked since `since_ms`.
pub fn of_taffrail(taffrail: &Taffrail, jobs: usize, since_ms: i64) -> Result<Verdicts> {
    let status = status(taffrail)?;
    let mut verdicts = Verdicts::new();
    for job in status["jobs"].as_array().into_iter().flatten() {
        let target = &job["targets"][0];
        ensure!(
            target["last_scrape_ms"].as_i64().unwrap_or_default() > since_ms,
            "{} was not asked yet",
            job["name"]
        );
        let error = target["error"]["text"].as_str().unwrap_or_default().to_owned();
        verdicts.insert(job["name"].as_str().unwrap().to_owned(), (target["up"] == true, error));
    }
    ensure!(verdicts.len() == jobs, "{} of {jobs} jobs", verdicts.len());
    Ok(verdicts)
}

/// The same of Prometheus.
pub fn of_prometheus(prometheus: &Prometheus, jobs: usize) -> Result<Verdicts> {
    let answer: Value = serde_json::from_slice(&prometheus.client().get_ok("/api/v1/targets")?.body)?;
    let mut verdicts = Verdicts::new();
    for target in answer["data"]["activeTargets"].as_array().into_iter().flatten() {
        let text = |name: &str| target[name].as_str().unwrap_or_default().to_owned();
        ensure!(text("health") != "unknown", "{} was not asked yet", text("scrapePool"));
        verdicts.insert(text("scrapePool"), (text("health") == "up", text("lastError")));
    }
    ensure!(verdicts.len() == jobs, "{} of {jobs} jobs", verdicts.len());
    Ok(verdicts)
}

/// Both scrape the same jobs. Gives what Taffrail says of each, and lists those of which Prometheus thinks otherwise.
pub fn beside(jobs: &str, count: usize) -> (Taffrail, Verdicts, Vec<String>) {
    let prometheus = Prometheus::start_with(Release::V3, jobs, &[]).unwrap();
    let taffrail = Taffrail::start(&format!("self: false\nhostname: ship\n{jobs}")).unwrap();
    let (ours, theirs) = wait_for("a verdict of both on each job", SOON, || {
        Ok((of_taffrail(&taffrail, count, 0)?, of_prometheus(&prometheus, count)?))
    })
    .unwrap();
    let differ = ours.iter().filter(|(job, ours)| ours.0 != theirs[*job].0);
    let differ = differ.map(|(job, ours)| format!("{job}: {ours:?}, Prometheus {:?}", theirs[job])).collect();
    (taffrail, ours, differ)
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64
}

/// An address of loopback that takes no connections.
pub fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], taffrail_tests::free_port().unwrap()))
}
