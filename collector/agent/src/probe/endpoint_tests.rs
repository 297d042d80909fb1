use axum::body::to_bytes;
use tokio::net::TcpListener;

use super::*;
use crate::config::{Source, load_text};

fn endpoint(config: &str) -> Endpoint {
    let config = load_text(Source::new("t.yml", config, ""), &[], &|_| None).unwrap();
    let endpoint = Endpoint::new(Clock::system());
    endpoint.set(config.probes.as_ref());
    endpoint
}

async fn ask(
    endpoint: &Endpoint,
    target: &str,
    module: &str,
    headers: &[(&'static str, &str)],
) -> (u16, String) {
    let asked = Asked {
        target: target.to_owned(),
        module: module.to_owned(),
        debug: "true".into(),
        ..Default::default()
    };
    let headers =
        headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect();
    match endpoint.answer(&asked, &headers).await {
        Ok(response) => {
            let status = response.status().as_u16();
            let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        }
        Err((status, why)) => (status.as_u16(), why),
    }
}

#[tokio::test]
async fn it_is_off_until_networks_are_listed() {
    let (status, why) = ask(&endpoint("probes: []"), "127.0.0.1:1", "tcp_connect", &[]).await;
    assert_eq!(status, 404);
    assert!(why.contains("probe: {networks:"), "{why}");
}

#[tokio::test]
async fn a_listed_address_is_probed_and_no_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let listed = endpoint("probe: {networks: [127.0.0.0/8]}");
    let (status, body) = ask(&listed, &target, "tcp_connect", &[]).await;
    assert_eq!(status, 200);
    assert!(body.contains("\nprobe_success 1\n"), "{body}");
    // The name is resolved first: it is the address that counts.
    let (_, body) = ask(&endpoint("probe: {networks: [10.0.0.0/8]}"), &target, "tcp_connect", &[]).await;
    assert!(body.contains("\nprobe_success 0\n") && body.contains("none of the networks"), "{body}");
    let everything = endpoint("probe: {networks: [0.0.0.0/0, '::/0']}");
    for (target, module) in [
        ("169.254.169.254:80", "tcp_connect"),
        ("http://169.254.169.254/latest/meta-data/", "http_2xx"),
        ("http://[fd00:ec2::254]/", "http_2xx"),
        ("http://[::ffff:169.254.169.254]/", "http_2xx"),
        ("http://0xa9fea9fe/", "http_2xx"),
        ("169.254.169.254", "icmp"),
    ] {
        let (status, body) = ask(&everything, target, module, &[]).await;
        assert_eq!(status, 200);
        assert!(body.contains("\nprobe_success 0\n") && body.contains("never asks"), "{target}: {body}");
    }
}

#[tokio::test]
async fn a_redirect_to_a_refused_address_is_not_followed() {
    use tokio::io::AsyncWriteExt;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer =
                "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let (_, body) = ask(&endpoint("probe: {networks: [0.0.0.0/0]}"), &target, "http_2xx", &[]).await;
    assert!(body.contains("\nprobe_success 0\n") && body.contains("never asks"), "{body}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let listed = endpoint("probe: {networks: [127.0.0.0/8]}");
    for (target, module, headers, status, wanted) in [
        ("", "", &[][..], 400, "no target"),
        (&"x".repeat(3000), "", &[], 400, "longer than 2048"),
        ("x", "nothing", &[], 400, "there is no module nothing; there are: "),
        ("x", "", &[("sec-fetch-site", "cross-site")], 403, "another page asks"),
        ("x", "", &[("x-prometheus-scrape-timeout-seconds", "soon")], 400, "should be seconds"),
        ("x", "", &[("x-prometheus-scrape-timeout-seconds", "-1")], 400, "should be seconds"),
    ] {
        let (got, why) = ask(&listed, target, module, headers).await;
        assert_eq!(got, status, "{why}");
        assert!(why.contains(wanted), "{why}");
    }
}

#[tokio::test]
async fn a_probe_ends_before_its_scraper_gives_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}/", silent.local_addr().unwrap());
    let headers = [("x-prometheus-scrape-timeout-seconds", "0.7")];
    let clock = Clock::system();
    let start = clock.monotonic();
    let (_, body) = ask(&endpoint("probe: {networks: [127.0.0.0/8]}"), &target, "", &headers).await;
    assert!(body.contains("\nprobe_success 0\n") && body.contains("no answer within 200 ms"), "{body}");
    assert!(clock.monotonic() - start < Duration::from_millis(700));
}
