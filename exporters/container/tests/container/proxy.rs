//! The filter in front of an engine: what comes through, what is refused, and an engine that is away, hangs or lies.

use std::time::Duration;

use http_body_util::BodyExt;
use taffrail_container::inventory::{Address, Client, EngineError};
use taffrail_container::proxy::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::socket::{Answer, END, Socket, committed};
use crate::{Kept, SOON};

/// A filter that serves until this is dropped.
struct Served {
    folder: tempfile::TempDir,
    stop: CancellationToken,
}

impl Served {
    fn before(engine: Address) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("filter.sock")).unwrap();
        let (proxy, stop) = (Proxy::new(Client::new(engine)), CancellationToken::new());
        let stopped = stop.clone();
        tokio::spawn(async move { proxy.serve(listener, stopped).await });
        Served { folder, stop }
    }

    fn address(&self) -> Address {
        Address::Unix(self.folder.path().join("filter.sock"))
    }

    /// What the filter answers to these bytes, whole.
    async fn raw(&self, request: &str) -> String {
        let mut stream = UnixStream::connect(self.folder.path().join("filter.sock")).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server that has seen enough may close with a reset, which is an end as well.
        let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn get(&self, path: &str) -> Result<String, EngineError> {
        let body = Client::new(self.address()).get(path).await?;
        Ok(String::from_utf8(body.to_vec()).unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An engine that tells secrets wherever it can.
fn telling(path: &str) -> Answer {
    let secret = r#""Env":["PASSWORD=hunter2"],"Cmd":["--password","hunter2"]"#;
    match path.split('?').next().unwrap() {
        "/version" => Answer::Whole(200, format!(r#"{{"ApiVersion":"1.51","Version":"29.0",{secret}}}"#)),
        "/info" => Answer::Whole(200, format!(r#"{{"DockerRootDir":"/d","HttpProxy":"hunter2",{secret}}}"#)),
        "/containers/json" => Answer::Whole(200, format!(r#"[{{"Id":"a","Command":"hunter2",{secret}}}]"#)),
        "/containers/a/json" => {
            let health = r#""Health":{"Status":"healthy","Log":[{"Output":"hunter2"}]}"#;
            let config = format!(r#""Config":{{"Image":"i","Labels":{{}},{secret}}}"#);
            Answer::Whole(200, format!(r#"{{"Id":"a",{config},"State":{{{health}}},"Args":["hunter2"]}}"#))
        }
        "/images/i/json" => Answer::Whole(200, format!(r#"{{"Id":"i","Config":{{{secret}}},{secret}}}"#)),
        "/networks" => Answer::Whole(200, format!(r#"[{{"Name":"n","Options":{{{secret}}}}}]"#)),
        "/containers/a/logs" => Answer::Whole(200, "a line\n".to_owned()),
        "/containers/half/json" => Answer::Half(r#"{"Id":"half"}"#.to_owned()),
        "/containers/html/json" => Answer::Whole(200, "<html>hunter2".to_owned()),
        "/containers/hangs/json" => Answer::Never,
        "/events" => Answer::Whole(200, String::new()),
        _ => Answer::Whole(404, r#"{"message":"no such container","detail":"hunter2"}"#.to_owned()),
    }
}

#[tokio::test]
async fn no_secret_comes_through() {
    let engine = Socket::new(telling);
    let served = Served::before(engine.address());
    for (path, kept) in [
        ("/version", r#"{"ApiVersion":"1.51","Version":"29.0"}"#),
        ("/info", r#"{"DockerRootDir":"/d"}"#),
        ("/containers/json?all=1", r#"[{"Id":"a"}]"#),
        (
            "/containers/a/json",
            r#"{"Config":{"Image":"i","Labels":{}},"Id":"a","State":{"Health":{"Status":"healthy"}}}"#,
        ),
        ("/images/i/json", r#"{"Config":{},"Id":"i"}"#),
        ("/networks", r#"[{"Name":"n"}]"#),
        ("/containers/a/logs?stdout=1", "a line\n"),
        ("/_ping", "OK"),
    ] {
        assert_eq!(served.get(path).await.unwrap(), kept, "{path}");
    }
    for path in ["/containers/none/json", "/containers/html/json", "/containers/half/json"] {
        let error = served.get(path).await.unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
    let pinged = served.raw("HEAD /v1.44/_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(pinged.starts_with("HTTP/1.1 200") && pinged.contains("api-version: 1.51\r\n"), "{pinged}");
}

#[tokio::test]
async fn what_is_not_listed_does_not_reach_the_engine() {
    let engine = Socket::new(telling);
    let served = Served::before(engine.address());
    for request in [
        "POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        "DELETE /containers/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /containers/a/archive?path=/etc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /containers/a/../b/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
        "GET http://elsewhere/secrets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ] {
        let answer = served.raw(request).await;
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("refused"), "{request}{answer}");
    }
    assert_eq!(*engine.asked.lock().unwrap(), Vec::<String>::new());
    // A second request behind the first one's back is no part of the first.
    let smuggled = served
        .raw("GET /version HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\nPOST /containers/create HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    assert!(smuggled.contains("HTTP/1.1 200") && smuggled.contains("HTTP/1.1 403"), "{smuggled}");
    assert_eq!(*engine.asked.lock().unwrap(), ["/version"]);
    let long =
        format!("GET /version?{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "x".repeat(64 << 10));
    assert!(!served.raw(&long).await.contains(" 200 "));
}

#[tokio::test]
async fn events_come_through_as_they_happen() {
    let engine = Socket::new(telling);
    let served = Served::before(engine.address());
    let mut body = Client::new(served.address()).follow("/events?since=1").await.unwrap();
    let (start, exec) = (
        "{\"Action\":\"start\",\"Actor\":{\"ID\":\"a\"},\"Type\":\"container\"}\n",
        "{\"Action\":\"exec_create: hunter2\",\"Actor\":{\"ID\":\"a\"},\"Type\":\"container\"}\n",
    );
    for line in [exec, &start[..20], &start[20..]] {
        engine.events.send(line.to_owned()).unwrap();
    }
    let frame = tokio::time::timeout(SOON, body.frame()).await.unwrap().unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), start.as_bytes());
    engine.events.send(END.to_owned()).unwrap();
    assert!(tokio::time::timeout(SOON, body.frame()).await.unwrap().is_none());
    // What is no event ends the stream with an error: it does not come through.
    let mut body = Client::new(served.address()).follow("/events").await.unwrap();
    engine.events.send("hunter2\n".to_owned()).unwrap();
    assert!(tokio::time::timeout(SOON, body.frame()).await.unwrap().unwrap().is_err());
}

#[tokio::test]
async fn an_engine_that_is_away_hangs_and_comes_back() {
    let mut engine = Socket::new(telling);
    let served = Served::before(engine.address());
    let hung = Client::new(served.address()).within(Duration::from_millis(200));
    for _ in 0..8 {
        assert!(matches!(hung.get("/containers/hangs/json").await, Err(EngineError::Late { .. })));
    }
    // They have given up, and hold nothing that others need.
    assert_eq!(served.get("/_ping").await.unwrap(), "OK");
    engine.stop();
    let Err(EngineError::Status { status, message, .. }) = served.get("/version").await else {
        panic!("it answers")
    };
    assert_eq!(status, 502);
    assert!(message.starts_with("the engine behind this filter: unix://"), "{message}");
    engine.start(telling);
    assert_eq!(served.get("/_ping").await.unwrap(), "OK");
}

/// The inventory sees through the filter what it sees without.
#[tokio::test]
async fn the_inventory_is_the_same_through_the_filter() {
    let engine = Socket::new(committed);
    let served = Served::before(engine.address());
    let (plain, filtered) = (Kept::of(engine.address()), Kept::of(served.address()));
    let (plain, filtered) = (plain.connected().await, filtered.connected().await);
    assert!(!plain.containers.is_empty());
    assert_eq!(filtered.containers, plain.containers);
}
