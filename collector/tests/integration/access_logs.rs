//! Access logs of the real servers: what is counted is what was asked.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};
use taffrail_tests::{Taffrail, WebServer, slow_upstream, wait_for};

use crate::support::SOON;

/// How long `/slow` takes at least.
const SLOW: Duration = Duration::from_millis(300);

/// What is sent, and the method as it is counted.
const REQUESTS: &[(&[u8], &str)] = &[
    (b"GET / HTTP/1.1\r\nUser-Agent: curl/8.5\r\n", "GET"),
    (b"HEAD / HTTP/1.1\r\n", "HEAD"),
    (b"GET /none HTTP/1.1\r\n", "GET"),
    (b"GET /fail HTTP/1.1\r\n", "GET"),
    (b"GET /moved HTTP/1.1\r\nReferer: https://shop/?q=\"x\"\\y\r\nUser-Agent: M (\"quoted\" \\ 1.250)\r\n", "GET"),
    (b"GET /slow HTTP/1.1\r\nX-Forwarded-For: 10.0.0.1, 10.250.0.2\r\n", "GET"),
    (b"GET /away HTTP/1.1\r\n", "GET"),
    (b"GET /private HTTP/1.1\r\n", "GET"),
    // ada:wrong, ada:pw, `ada lovelace:pw`, nobody at all, and one whose name looks like a line of the log.
    (b"GET /private HTTP/1.1\r\nAuthorization: Basic YWRhOndyb25n\r\n", "GET"),
    (b"GET /private HTTP/1.1\r\nAuthorization: Basic YWRhOnB3\r\n", "GET"),
    (b"GET /private HTTP/1.1\r\nAuthorization: Basic YWRhIGxvdmVsYWNlOnB3\r\n", "GET"),
    (b"GET /private HTTP/1.1\r\nAuthorization: Basic Og==\r\n", "GET"),
    (
        b"GET /private HTTP/1.1\r\nAuthorization: Basic ZXZlIiB4IF0gIkdFVCAvIEhUVFAvMS4xIiAyMDAgNSAiLSIgW3k6bm8=\r\n",
        "GET",
    ),
    (b"POST / HTTP/1.1\r\nContent-Length: 0\r\n", "POST"),
    (b"OPTIONS * HTTP/1.1\r\n", "OPTIONS"),
    (b"PROPFIND / HTTP/1.1\r\n", "other"),
    (b"M-SEARCH * HTTP/1.1\r\n", "other"),
    (b"get / HTTP/1.1\r\n", "other"),
    (b"GET http://shop.example/ HTTP/1.1\r\n", "GET"),
    (b"GET /a b HTTP/1.1\r\n", "GET"),
    (b"GET /q\"uote\\back HTTP/1.1\r\n", "GET"),
    (b"GET /\xff\xfe\xc3\xa4 HTTP/1.1\r\nUser-Agent: \xff\x01\xc3\xa4\r\n", "GET"),
    (b"GET / HTTP/1.1\r\nBad Header\r\n", "GET"),
    // TLS to a port without it.
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", "other"),
];

/// Sends one request as it stands; gives the class of the answer, `2xx`.
fn ask(address: IpAddr, port: u16, request: &[u8]) -> String {
    let mut stream = TcpStream::connect((address, port)).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(&[request, b"Host: shop.example\r\nConnection: close\r\n\r\n"].concat()).unwrap();
    let mut answer = Vec::new();
    // A server that has said no may cut the connection.
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..1));
    format!("{}xx", status.with_context(|| format!("no answer: {text:?}")).unwrap())
}

/// A metric's series of a job, without the labels that all have.
fn series(taffrail: &Taffrail, name: &str, job: &str) -> anyhow::Result<BTreeMap<(String, String), f64>> {
    let page = taffrail.client().get_ok("/metrics/taffrail")?.text();
    let label = |line: &str, name: &str| -> Option<String> {
        line.split_once(&format!("{name}=\""))?.1.split('"').next().map(str::to_owned)
    };
    let lines = page.lines().filter(|line| {
        line.starts_with(&format!("{name}{{")) && label(line, "stream_job").as_deref() == Some(job)
    });
    lines
        .map(|line| {
            let key =
                (label(line, "method").context("no method")?, label(line, "status").context("no status")?);
            Ok((key, line.rsplit(' ').next().context("no value")?.parse()?))
        })
        .collect()
}

fn counts_what_was_asked(preset: &str, server: &WebServer) {
    let source = |name: &str, log: std::path::PathBuf| {
        format!(
            "  - {{name: {name}, files: {{include: [{}], start: beginning}}, labels: {{job: {name}}}, preset: {preset}}}\n",
            log.display()
        )
    };
    let sources = source("plain", server.plain_log()) + &source("timed", server.timed_log());
    let taffrail = Taffrail::start(&format!("hostname: ship\nlogs:\n{sources}")).unwrap();
    let mut asked: BTreeMap<(String, String), f64> = BTreeMap::new();
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        for (request, method) in REQUESTS {
            let class = ask(address, server.port(), request);
            *asked.entry(((*method).to_owned(), class)).or_default() += 1.0;
        }
    }
    for class in ["2xx", "3xx", "4xx", "5xx"] {
        assert!(
            asked.contains_key(&("GET".to_owned(), class.to_owned())),
            "{class} was never answered: {asked:?}"
        );
    }
    for job in ["plain", "timed"] {
        wait_for(&format!("the requests in {job}"), SOON, || {
            let counted = series(&taffrail, "access_log_requests_total", job)?;
            ensure!(counted == asked, "counted {counted:?}, asked {asked:?}");
            Ok(())
        })
        .unwrap();
    }
    let durations =
        |what: &str| series(&taffrail, &format!("access_log_request_duration_seconds_{what}"), "timed");
    assert_eq!(durations("count").unwrap(), asked);
    let sums = durations("sum").unwrap();
    let slow = sums[&("GET".to_owned(), "2xx".to_owned())];
    assert!(slow >= 2.0 * SLOW.as_secs_f64(), "{slow}");
    let refused = sums[&("GET".to_owned(), "3xx".to_owned())];
    assert!(refused < 1.0, "no number of somebody's header is a duration: {refused}");
}

#[test]
fn of_nginx() {
    counts_what_was_asked("nginx", &WebServer::nginx(slow_upstream(SLOW).unwrap()).unwrap());
}

#[test]
fn of_apache() {
    counts_what_was_asked("apache", &WebServer::apache(slow_upstream(SLOW).unwrap()).unwrap());
}
