//! Credentials and TLS against a server on loopback that insists on them.

use std::path::Path;
use std::sync::Mutex;

use axum::http::HeaderMap as Headers;
use axum::routing::post;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::config::Secret;
use crate::http_client::{Auth, OAuth2, Source, Tls, Version};
use crate::status::lock;

/// An authority.
struct Pki(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
struct Pair {
    cert: String,
    key: String,
}

impl Pki {
    fn new() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Pki(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn issue(&self, name: &str) -> Pair {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap();
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }
}

/// Who the server saw: the client's certificate, as it came, for every request.
type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

/// A receiver with the name `receiver.example`, which lets in only whom `clients` has signed for.
async fn serve(
    server: &Pki,
    clients: &Pki,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> (u16, Seen) {
    let Pair { cert, key } = server.issue("receiver.example");
    let verifier = WebPkiClientVerifier::builder(Arc::new(clients.roots())).build().unwrap();
    let config = rustls::ServerConfig::builder_with_protocol_versions(versions)
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![rustls::pki_types::CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    let all = seen.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, seen) = (acceptor.clone(), all.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let who = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
                let service = service_fn(move |_: Request<Incoming>| {
                    lock(&seen).push(who.clone());
                    // The connection ends, so that the next request shakes hands again.
                    let answer = Response::builder().status(204).header("connection", "close");
                    std::future::ready(answer.body(Full::<Bytes>::default()))
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    (port, seen)
}

fn receiver(url: &str, tls: Tls, auth: Option<Auth>) -> Receiver {
    Receiver {
        name: "test".into(),
        url: url.parse().unwrap(),
        headers: [("X-Team".to_owned(), "shop".to_owned())].into(),
        auth,
        timeout: Duration::from_secs(5),
        tls,
    }
}

fn files(dir: &Path, pair: &Pair) {
    std::fs::write(dir.join("cert.pem"), &pair.cert).unwrap();
    std::fs::write(dir.join("key.pem"), &pair.key).unwrap();
}

fn mutual(dir: &Path, server: &Pki) -> Tls {
    Tls {
        ca: Some(Source::Inline(Secret::new(server.pem()))),
        cert: Some(Source::File(dir.join("cert.pem"))),
        key: Some(Source::File(dir.join("key.pem"))),
        server_name: Some("receiver.example".into()),
        ..Tls::default()
    }
}

async fn send(client: &Client) -> Result<u16, String> {
    match client.post(Bytes::from_static(b"body"), &HeaderMap::new()).await {
        Ok(answer) => Ok(answer.status),
        Err(Verdict::Retry { cause, .. }) => Err(cause),
        Err(other) => panic!("{other:?}"),
    }
}

const BOTH: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12, &rustls::version::TLS13];

#[tokio::test]
async fn both_sides_show_certificates_and_ours_may_be_replaced_while_we_run() {
    let (server, clients, strangers) = (Pki::new(), Pki::new(), Pki::new());
    let (port, seen) = serve(&server, &clients, BOTH).await;
    let dir = tempfile::tempdir().unwrap();
    files(dir.path(), &strangers.issue("ship"));
    let clock = Clock::manual(0);
    let url = format!("https://127.0.0.1:{port}/write");
    let client = Client::new(&receiver(&url, mutual(dir.path(), &server), None), clock.clone()).unwrap();
    let error = send(&client).await.unwrap_err();
    assert!(error.contains("127.0.0.1"), "{error}");
    assert!(lock(&seen).is_empty());
    files(dir.path(), &clients.issue("ship"));
    clock.advance(Duration::from_secs(3));
    assert_eq!(send(&client).await, Ok(204));
    // Rotated: another certificate, and a moment in which it does not go with its key.
    let next = clients.issue("ship");
    std::fs::write(dir.path().join("cert.pem"), &next.cert).unwrap();
    clock.advance(Duration::from_secs(3));
    assert_eq!(send(&client).await, Ok(204), "the one before goes on");
    files(dir.path(), &next);
    clock.advance(Duration::from_secs(3));
    assert_eq!(send(&client).await, Ok(204));
    let seen = lock(&seen);
    assert!(seen.len() == 3 && seen[0] == seen[1] && seen[1] != seen[2]);
}

#[tokio::test]
async fn whom_to_trust_is_as_the_config_says() {
    let (server, clients, strangers) = (Pki::new(), Pki::new(), Pki::new());
    let (port, _) = serve(&server, &clients, &[&rustls::version::TLS12]).await;
    let dir = tempfile::tempdir().unwrap();
    files(dir.path(), &clients.issue("ship"));
    let good = mutual(dir.path(), &server);
    let stranger = Some(Source::Inline(Secret::new(strangers.pem())));
    for (tls, expected) in [
        (good.clone(), Ok(204)),
        (Tls { ca: stranger.clone(), ..good.clone() }, Err("of no authority that is trusted")),
        (Tls { ca: None, ..good.clone() }, Err("of no authority that is trusted")),
        (
            Tls { server_name: None, ..good.clone() },
            Err("its certificate is not for 127.0.0.1, only for receiver.example"),
        ),
        (Tls { ca: stranger, insecure_skip_verify: true, server_name: None, ..good.clone() }, Ok(204)),
        (Tls { min_version: Version::V13, ..good.clone() }, Err("no version of TLS that both speak")),
        (Tls { max_version: Some(Version::V12), ..good.clone() }, Ok(204)),
        (Tls { cert: None, key: None, ..good.clone() }, Err("")),
    ] {
        let url = format!("https://127.0.0.1:{port}/write");
        let client = Client::new(&receiver(&url, tls.clone(), None), Clock::manual(0)).unwrap();
        match (send(&client).await, expected) {
            (Ok(status), Ok(expected)) => assert_eq!(status, expected),
            (Err(error), Err(words)) => assert!(error.contains(words), "{tls:?}: {error}"),
            (got, expected) => panic!("{tls:?}: {got:?}, not {expected:?}"),
        }
    }
    let never = Tls { min_version: Version::V13, max_version: Some(Version::V12), ..good };
    let error = Client::new(&receiver("https://x", never, None), Clock::manual(0)).unwrap_err();
    assert_eq!(error.to_string(), "output test: min_version is newer than max_version");
}

/// A receiver that lets in one token only, and a server of tokens beside it.
async fn with_tokens() -> (u16, Arc<Mutex<(String, u32)>>) {
    let state = Arc::new(Mutex::new(("token-1".to_owned(), 0)));
    let (tokens, checks) = (state.clone(), state.clone());
    let app = axum::Router::new()
        .route(
            "/token",
            post(move || {
                let mut state = lock(&tokens);
                state.1 += 1;
                std::future::ready(format!(r#"{{"access_token":"token-{}","expires_in":3600}}"#, state.1))
            }),
        )
        .route(
            "/write",
            post(move |headers: Headers| {
                let wanted = format!("Bearer {}", lock(&checks).0);
                let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
                let good = header("authorization") == Some(&wanted) && header("x-team") == Some("shop");
                std::future::ready(if good { http::StatusCode::OK } else { http::StatusCode::UNAUTHORIZED })
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (port, state)
}

#[tokio::test]
async fn a_token_is_fetched_and_replaced_when_it_is_refused() {
    let (port, state) = with_tokens().await;
    let auth = Auth::OAuth2(Box::new(OAuth2 {
        client_id: "ship".into(),
        client_secret: Source::Inline(Secret::new("s")),
        scopes: Vec::new(),
        token_url: format!("http://127.0.0.1:{port}/token").parse().unwrap(),
        endpoint_params: Default::default(),
        tls: Tls::default(),
    }));
    let clock = Clock::manual(0);
    let url = format!("http://127.0.0.1:{port}/write");
    let client = Client::new(&receiver(&url, Tls::default(), Some(auth)), clock.clone()).unwrap();
    assert_eq!(send(&client).await, Ok(200));
    assert_eq!(send(&client).await, Ok(200));
    assert_eq!(lock(&state).1, 1, "one token for both");
    // The receiver forgets the token long before it expires.
    lock(&state).0 = "token-2".into();
    assert_eq!(send(&client).await, Ok(401));
    clock.advance(Duration::from_secs(3));
    assert_eq!(send(&client).await, Ok(200));
}

#[tokio::test]
async fn a_token_in_a_file_is_read_again() {
    let (port, state) = with_tokens().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, "token-1\n").unwrap();
    let auth = Auth::Header { kind: "Bearer".into(), credentials: Source::File(path.clone()) };
    let clock = Clock::manual(0);
    let url = format!("http://127.0.0.1:{port}/write");
    let client = Client::new(&receiver(&url, Tls::default(), Some(auth)), clock.clone()).unwrap();
    assert_eq!(send(&client).await, Ok(200));
    lock(&state).0 = "rotated".into();
    assert_eq!(send(&client).await, Ok(401));
    std::fs::write(&path, "rotated\n").unwrap();
    clock.advance(Duration::from_secs(3));
    assert_eq!(send(&client).await, Ok(200));
}
