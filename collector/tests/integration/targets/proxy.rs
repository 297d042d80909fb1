//! Targets behind an HTTP proxy, by whole addresses and by tunnels, as Prometheus reaches them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustls::version::TLS13;

use super::kit::{Pki, Web, beside, nobody, page};

/// What was asked of a proxy: the first line, and the headers in lower case.
#[derive(Clone, Debug)]
struct Passed {
    line: String,
    headers: Vec<(String, String)>,
}

impl Passed {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A forward proxy on loopback. It lets in who has the password, if it has one, and passes on to loopback only.
struct Proxy {
    port: u16,
    passed: Arc<Mutex<Vec<Passed>>>,
}

impl Proxy {
    fn start(password: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let passed = Arc::new(Mutex::new(Vec::new()));
        let seen = passed.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let seen = seen.clone();
                thread::spawn(move || {
                    // Who hangs up is done.
                    let _ = pass(&near, password, &seen);
                    let _ = near.shutdown(Shutdown::Both);
                });
            }
        });
        Proxy { port, passed }
    }

    fn passed(&self) -> Vec<Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One request, or a tunnel to its end.
fn pass(mut near: &TcpStream, password: Option<&str>, seen: &Mutex<Vec<Passed>>) -> io::Result<()> {
    let mut reader = BufReader::new(near.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let request = Passed { line: line.trim_end().to_owned(), headers };
    let known = request.header("proxy-authorization").map(str::to_owned);
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    if password.is_some() && password != known.as_deref() {
        return near.write_all(
            b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\
              content-length: 0\r\nconnection: close\r\n\r\n",
        );
    }
    let mut words = request.line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method == "CONNECT" {
        let far = TcpStream::connect(target)?;
        near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        let (back, from) = (near.try_clone()?, far.try_clone()?);
        thread::spawn(move || {
            let _ = io::copy(&mut &from, &mut &back);
            let _ = back.shutdown(Shutdown::Both);
        });
        io::copy(&mut reader, &mut &far)?;
        return far.shutdown(Shutdown::Both);
    }
    let rest = target.strip_prefix("http://").ok_or(io::ErrorKind::InvalidData)?;
    let (host, path) = rest.split_once('/').ok_or(io::ErrorKind::InvalidData)?;
    let mut far = TcpStream::connect(host)?;
    write!(far, "{method} /{path} HTTP/1.1\r\nconnection: close\r\n")?;
    for (name, value) in
        request.headers.iter().filter(|(name, _)| !name.starts_with("proxy-") && name != "connection")
    {
        write!(far, "{name}: {value}\r\n")?;
    }
    far.write_all(b"\r\n")?;
    let mut answer = Vec::new();
    far.read_to_end(&mut answer)?;
    near.write_all(&answer)
}

/// `ada:sesame`
const BASIC: &str = "Basic YWRhOnNlc2FtZQ==";

#[test]
fn targets_are_reached_through_proxies() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, pki.pem()).unwrap();
    let plain = Web::start(None, |_| page());
    let secure = Web::start(Some(pki.issue(|_| {}).server(&[&TLS13])), |_| page());
    let (open, closed) = (Proxy::start(None), Proxy::start(Some(BASIC)));
    let at = |proxy: &Proxy| format!("proxy_url: 'http://127.0.0.1:{}'", proxy.port);
    let known = format!("proxy_url: 'http://ada:sesame@127.0.0.1:{}'", closed.port);
    let wrong = format!("proxy_url: 'http://ada:open@127.0.0.1:{}'", closed.port);
    let dead = format!("proxy_url: 'http://{}'", nobody());
    let headers = "proxy_connect_header: {x-tunnel: [yes-please]}";
    let cases: [(&str, String, &[&str]); 7] = [
        ("open", at(&open), &[]),
        ("known", known, &[]),
        ("unknown", at(&closed), &["407"]),
        ("wrong", wrong, &["407"]),
        ("dead", dead, &["the proxy 127.0.0.1", "refused"]),
        ("header", format!("{}, {headers}", at(&open)), &[]),
        ("not-for-it", format!("proxy_url: 'http://{}', no_proxy: '127.0.0.1'", nobody()), &[]),
    ];
    let mut jobs = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for (name, proxy, _) in &cases {
        for (scheme, port) in [("http", plain.port()), ("https", secure.port())] {
            jobs.push_str(&format!(
                "  - {{job_name: {name}-{scheme}, scheme: {scheme}, metrics_path: /{name}, {proxy}, \
                 authorization: {{credentials: page}}, tls_config: {{ca_file: {}}}, \
                 static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n",
                ca.display()
            ));
        }
    }
    let (taffrail, verdicts, differ) = beside(&jobs, 2 * cases.len());
    assert!(differ.is_empty(), "{differ:#?}");
    for (name, _, words) in &cases {
        for scheme in ["http", "https"] {
            let (up, error) = &verdicts[&format!("{name}-{scheme}")];
            assert_eq!(*up, words.is_empty(), "{name}-{scheme}: {error}");
            assert!(words.iter().all(|word| error.contains(word)), "{name}-{scheme}: {error}");
        }
    }
    // The targets heard what is for them, and nothing that is for the proxy.
    for asked in plain.asked().iter().chain(&secure.asked()) {
        assert_eq!(asked.header("authorization"), Some("Bearer page"), "{}", asked.path);
        assert_eq!((asked.header("proxy-authorization"), asked.header("x-tunnel")), (None, None));
        assert!(!["/unknown", "/wrong", "/dead"].contains(&asked.path.as_str()), "{}", asked.path);
    }
    // And the proxies nothing that is for the targets, where they only make a tunnel.
    let passed = [open.passed(), closed.passed()].concat();
    let tunnels: Vec<_> = passed.iter().filter(|passed| passed.line.starts_with("CONNECT ")).collect();
    assert!(tunnels.iter().all(|tunnel| tunnel.header("authorization").is_none()), "{tunnels:?}");
    assert!(tunnels.iter().any(|tunnel| tunnel.header("x-tunnel") == Some("yes-please")), "{tunnels:?}");
    let wanted = format!("GET http://127.0.0.1:{}/known HTTP/1.1", plain.port());
    assert!(passed.iter().any(|passed| passed.line == wanted), "{passed:?}");
    assert!(!passed.iter().any(|passed| passed.line.contains("not-for-it")), "{passed:?}");
    let (log, page) = (taffrail.log().unwrap(), taffrail.client().get_ok("/api/v1/targets").unwrap().text());
    assert!(!log.contains("sesame") && !page.contains("sesame"), "a secret is shown");
}
