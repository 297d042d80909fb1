use axum::body::Body;
use axum::routing::get;
use http_body_util::BodyExt;
use hyper_util::service::TowerToHyperService;

use super::*;

/// What a server that listens on `listen` answers to the request.
async fn ask(listen: &str, method: Method, headers: &[(&str, &str)]) -> (StatusCode, String) {
    let router = Router::new().route("/", get(|| async { "page" }).post(|| async { "done" }));
    let allowed = Allowed::new(listen.parse().unwrap(), ["Host.Example", "taffrail"], "`hosts`");
    let mut request = Request::builder().method(method).uri("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let service = TowerToHyperService::new(guard(router, allowed));
    let response =
        hyper::service::Service::call(&service, request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

const LOOPBACK: &str = "127.0.0.1:9753";

#[tokio::test]
async fn own_names_are_answered() {
    for host in [
        "127.0.0.1:9753",
        "localhost:9753",
        "LOCALHOST",
        "localhost.",
        "a.localhost:1",
        "[::1]:9753",
        "127.8.8.8",
        "host.example:80",
        "HOST.example.",
        "taffrail:9753",
        "[::ffff:127.0.0.1]:9753",
    ] {
        assert_eq!(
            ask(LOOPBACK, Method::GET, &[("host", host)]).await,
            (StatusCode::OK, "page".into()),
            "{host}"
        );
    }
}

#[tokio::test]
async fn a_rebound_name_is_misdirected_and_told_what_to_set() {
    for host in [
        "evil.example:9753",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "host.example.evil",
        "192.0.2.7",
    ] {
        let (status, body) = ask(LOOPBACK, Method::GET, &[("host", host)]).await;
        assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert!(
            body.contains(host.split(':').next().unwrap()) && body.contains("add it to `hosts`"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn an_address_is_answered_where_it_is_listened_on() {
    let status = async |listen, host| ask(listen, Method::GET, &[("host", host)]).await.0;
    assert_eq!(status("192.0.2.7:9753", "192.0.2.7:9753").await, StatusCode::OK);
    assert_eq!(status("192.0.2.7:9753", "192.0.2.8:9753").await, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(status("0.0.0.0:9753", "192.0.2.8:9753").await, StatusCode::OK);
    assert_eq!(status("[::]:9753", "[2001:db8::1]:9753").await, StatusCode::OK);
    assert_eq!(status("0.0.0.0:9753", "evil.example").await, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn a_request_without_one_readable_host_is_bad() {
    for headers in [&[][..], &[("host", "a"), ("host", "b")], &[("host", "a b")], &[("host", "")]] {
        assert_eq!(ask(LOOPBACK, Method::GET, headers).await.0, StatusCode::BAD_REQUEST, "{headers:?}");
    }
}

#[tokio::test]
async fn only_the_own_page_and_programs_may_change_something() {
    let host = ("host", "localhost:9753");
    let status = async |extra: (&str, &str)| ask(LOOPBACK, Method::POST, &[host, extra]).await.0;
    assert_eq!(status(("user-agent", "curl")).await, StatusCode::OK);
    assert_eq!(status(("origin", "http://localhost:9753")).await, StatusCode::OK);
    assert_eq!(status(("origin", "https://LOCALHOST:9753")).await, StatusCode::OK);
    assert_eq!(status(("sec-fetch-site", "same-origin")).await, StatusCode::OK);
    for origin in ["http://evil.example", "null", "http://localhost:8080", "http://localhost", "file://", ""]
    {
        assert_eq!(status(("origin", origin)).await, StatusCode::FORBIDDEN, "{origin}");
    }
    assert_eq!(status(("sec-fetch-site", "cross-site")).await, StatusCode::FORBIDDEN);
    assert_eq!(status(("sec-fetch-site", "same-site")).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn reading_from_another_page_is_left_to_the_browser() {
    let headers = [("host", "localhost:9753"), ("origin", "http://evil.example")];
    assert_eq!(ask(LOOPBACK, Method::GET, &headers).await.0, StatusCode::OK);
}
