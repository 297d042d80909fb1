//! blackbox_exporter beside us: the same module file, the same targets, the two pages compared.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::program;

/// A running blackbox_exporter; it ends with its value.
pub struct Blackbox {
    child: Child,
    port: u16,
}

/// A page: `name{labels}` to its type and value.
pub type Page = BTreeMap<String, (String, f64)>;

impl Blackbox {
    #[expect(clippy::disallowed_methods, reason = "the peer is a program")]
    pub async fn start(modules: &Path) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = modules.with_extension("log");
        let child = Command::new(program("BLACKBOX_EXPORTER"))
            .arg(format!("--config.file={}", modules.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let this = Blackbox { child, port };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return this;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "blackbox_exporter does not listen on {port}:\n{}",
            std::fs::read_to_string(log).unwrap_or_default()
        );
    }

    /// Probes, and returns the page.
    pub async fn probe(&self, module: &str, target: &str) -> Page {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("module", module)
            .append_pair("target", target)
            .finish();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let request = format!("GET /probe?{query} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200"), "{answer}");
        page(body)
    }
}

impl Drop for Blackbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn page(text: &str) -> Page {
    let mut kinds = BTreeMap::new();
    let mut page = Page::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            kinds.insert(name.to_owned(), kind.to_owned());
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            page.insert(series.to_owned(), (kinds[name].clone(), value.parse().unwrap()));
        }
    }
    page
}
