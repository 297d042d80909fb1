//! Tokens from a server on loopback that takes what RFC 6749 says, and remembers what it was asked.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::post;

use super::*;

/// A server of tokens: it gives `token-1`, `token-2`, ….
#[derive(Clone, Default)]
struct Tokens {
    asked: Arc<Mutex<Vec<(String, String)>>>,
    /// It reads the client's password in the body only.
    in_body: bool,
    answer: Option<&'static str>,
}

async fn give(State(tokens): State<Tokens>, headers: HeaderMap, body: String) -> axum::response::Response {
    let basic = headers.get("authorization").map_or("", |value| value.to_str().unwrap()).to_owned();
    let known = match tokens.in_body {
        true => body.contains("client_id=our+ship&client_secret=p%26w"),
        // `our+ship:p%26w`
        false => basic == "Basic b3VyK3NoaXA6cCUyNnc=",
    };
    let mut asked = lock(&tokens.asked);
    asked.push((basic, body));
    if !known {
        let why = r#"{"error":"invalid_client","error_description":"who are you","secret":"p&w"}"#;
        return (http::StatusCode::UNAUTHORIZED, why).into_response();
    }
    let usual =
        format!(r#"{{"access_token":"token-{}","token_type":"Bearer","expires_in":60}}"#, asked.len());
    tokens.answer.map_or(usual, str::to_owned).into_response()
}

async fn start(tokens: &Tokens) -> Uri {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let app = Router::new().route("/token", post(give)).with_state(tokens.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url.parse().unwrap()
}

async fn source(tokens: &Tokens, secret: &str) -> (TokenSource, Clock) {
    let clock = Clock::manual(0);
    let config = OAuth2 {
        client_id: "our ship".into(),
        client_secret: Source::Inline(Secret::new(secret)),
        scopes: vec!["write".into(), "read".into()],
        token_url: start(tokens).await,
        endpoint_params: BTreeMap::from([("audience".into(), "https://x/?a=b".into())]),
        tls: Tls::default(),
    };
    (TokenSource::new(&config, &clock).unwrap(), clock)
}

async fn token(source: &TokenSource) -> String {
    source.token().await.unwrap().expose().to_owned()
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_it_expires() {
    let tokens = Tokens::default();
    let (source, clock) = source(&tokens, "p&w").await;
    assert_eq!((token(&source).await, token(&source).await), ("token-1".into(), "token-1".into()));
    clock.advance(Duration::from_secs(49));
    assert_eq!(token(&source).await, "token-1");
    clock.advance(Duration::from_secs(2));
    assert_eq!(token(&source).await, "token-2");
    let form = "grant_type=client_credentials&scope=write+read&audience=https%3A%2F%2Fx%2F%3Fa%3Db";
    assert!(lock(&tokens.asked).iter().all(|(_, body)| body == form), "{:?}", lock(&tokens.asked));
}

#[tokio::test]
async fn a_refused_token_is_replaced_but_not_in_a_loop() {
    let tokens = Tokens::default();
    let (source, clock) = source(&tokens, "p&w").await;
    assert_eq!(token(&source).await, "token-1");
    source.refused("token-0");
    assert_eq!(token(&source).await, "token-1", "another one was refused");
    source.refused("token-1");
    assert!(source.token().await.unwrap_err().contains("refused with HTTP 401"));
    clock.advance(PAUSE);
    assert_eq!(token(&source).await, "token-2");
}

#[tokio::test]
async fn the_password_goes_where_the_server_reads_it() {
    let tokens = Tokens { in_body: true, ..Tokens::default() };
    let (source, clock) = source(&tokens, "p&w").await;
    assert_eq!(token(&source).await, "token-2", "the first try was in the header");
    clock.advance(Duration::from_secs(60));
    assert_eq!(token(&source).await, "token-3", "no second try in the header");
}

#[tokio::test]
async fn what_is_wrong_is_said_once_and_shows_no_secret() {
    let tokens = Tokens::default();
    let (source, clock) = source(&tokens, "wrong").await;
    let error = source.token().await.unwrap_err();
    assert!(error.starts_with("no OAuth 2.0 token from 127.0.0.1:"), "{error}");
    assert!(error.ends_with(": HTTP 401: invalid_client: who are you"), "{error}");
    let asked = lock(&tokens.asked).len();
    assert_eq!(source.token().await.unwrap_err(), error);
    assert_eq!(lock(&tokens.asked).len(), asked, "many requests do not make many questions");
    clock.advance(PAUSE);
    source.token().await.unwrap_err();
    assert!(lock(&tokens.asked).len() > asked);
}

#[tokio::test]
async fn odd_answers_are_read_or_refused() {
    for (answer, holds) in [
        (r#"{"access_token":"a","expires_in":"100"}"#, 100),
        (r#"{"access_token":"a","token_type":"bearer"}"#, 300),
        (r#"{"access_token":"a","expires_in":0}"#, 300),
    ] {
        let (source, _) = source(&Tokens { answer: Some(answer), ..Tokens::default() }, "p&w").await;
        assert_eq!(source.ask().await.unwrap().1, Duration::from_secs(holds), "{answer}");
    }
    for (answer, word) in [
        ("<html>", "not JSON"),
        (r#"{"token":"a"}"#, "not JSON"),
        (r#"{"access_token":"a","token_type":"mac"}"#, "`mac`"),
    ] {
        let (source, _) = source(&Tokens { answer: Some(answer), ..Tokens::default() }, "p&w").await;
        let error = source.token().await.unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}

#[tokio::test]
async fn many_at_once_ask_once() {
    let tokens = Tokens::default();
    let (source, _) = source(&tokens, "p&w").await;
    let source = Arc::new(source);
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let source = source.clone();
        all.spawn(async move { token(&source).await });
    }
    assert!(all.join_all().await.iter().all(|token| token == "token-1"));
}
