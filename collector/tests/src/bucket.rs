//! A bucket in an S3 that somebody else wrote (moto's server), behind a relay that can misbehave.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::http::Client;
use crate::process::Process;
use crate::server::{Answer, Request, Server, lock};
use crate::tools::tool;
use crate::wait::free_port;

const NAME: &str = Bucket::NAME;

/// What an object wants that was stored by somebody; who signed, and how, is not looked at.
const ANYBODY: &str =
    "AWS4-HMAC-SHA256 Credential=ada/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

/// What the relay does with a request.
#[derive(Debug, Clone)]
pub enum Fate {
    /// Passes it on, and the answer back.
    Pass,
    /// Answers itself; the store hears nothing of it.
    Answer(Answer),
    /// Passes it on; the answer is lost, and the connection ends.
    LoseAnswer,
}

type Judge = Box<dyn FnMut(&Request) -> Fate + Send>;

/// A bucket. Dropping it ends its server.
pub struct Bucket {
    store: u16,
    relay: Server,
    judge: Arc<Mutex<Judge>>,
    _process: Process,
    _dir: TempDir,
}

impl Bucket {
    /// Its name.
    pub const NAME: &str = "logs";

    /// Starts the server, and makes the bucket.
    ///
    /// # Errors
    /// When the server is not set up, or does not come up.
    pub fn start() -> Result<Self> {
        let (dir, store) = (TempDir::with_prefix("taffrail-bucket-")?, free_port()?);
        let mut command = Command::new(tool("PYTHON")?);
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &store.to_string()]);
        let mut process = Process::start("moto", &mut command, &dir.path().join("log"))?;
        let client = Client::new(store);
        process.wait_ready(Duration::from_secs(60), || client.get("/").map(drop))?;
        let made = client.send("PUT", &format!("/{NAME}"), &[], &[])?;
        ensure!(made.status == 200, "no bucket was made: {} {}", made.status, made.text());
        let judge: Arc<Mutex<Judge>> = Arc::new(Mutex::new(Box::new(|_| Fate::Pass)));
        let judged = Arc::clone(&judge);
        let relay = Server::start("127.0.0.1:0", move |request| {
            let fate = (lock(&judged))(&request);
            match fate {
                Fate::Answer(answer) => answer,
                Fate::Pass => pass(store, &request).unwrap_or(Answer::Close),
                Fate::LoseAnswer => {
                    let _ = pass(store, &request);
                    Answer::Close
                }
            }
        })?;
        Ok(Self { store, relay, judge, _process: process, _dir: dir })
    }

    /// Where the store is, past the relay.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.store)
    }

    /// What the relay does with each request from now on.
    pub fn judge(&self, judge: impl FnMut(&Request) -> Fate + Send + 'static) {
        *lock(&self.judge) = Box::new(judge);
    }

    /// `s3: {…}` of an archive in it; the key stands in the file `secret`, which this writes into a folder.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn access(&self, dir: &Path) -> Result<String> {
        let secret = dir.join("secret");
        std::fs::write(&secret, "hunter2\n")?;
        let (port, secret) = (self.relay.port(), secret.display());
        Ok(format!(
            "s3: {{bucket: {NAME}, endpoint: \"http://127.0.0.1:{port}\", access_key_id: ada, \
             secret_access_key_file: {secret}}}, allow_http: true"
        ))
    }

    /// The keys in it, in order; asked past the relay.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn keys(&self) -> Result<Vec<String>> {
        let listed = Client::new(self.store).get_ok(&format!("/{NAME}?list-type=2"))?.text();
        ensure!(!listed.contains("<IsTruncated>true"), "more keys than a listing has");
        let keys = listed.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
        Ok(keys.map(str::to_owned).collect())
    }

    /// An object; asked past the relay.
    ///
    /// # Errors
    /// When there is none.
    pub fn get(&self, key: &str) -> Result<Vec<u8>> {
        let path = format!("/{NAME}/{key}");
        let got = Client::new(self.store).send("GET", &path, &[("authorization", ANYBODY)], &[])?;
        ensure!(got.status == 200, "GET {path}: {} {}", got.status, got.text());
        Ok(got.body)
    }

    /// How many uploads in parts were begun and never ended.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn unfinished(&self) -> Result<usize> {
        let listed = Client::new(self.store).get_ok(&format!("/{NAME}?uploads"))?.text();
        Ok(listed.matches("<UploadId>").count())
    }
}

fn pass(port: u16, request: &Request) -> Result<Answer> {
    let kept = |name: &str| !matches!(name, "host" | "content-length" | "connection");
    let headers = request.headers.iter().filter(|(name, _)| kept(name));
    let headers: Vec<(&str, &str)> = headers.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = Client::new(port)
        .send(&request.method, &request.path, &headers, &request.body)
        .context("the store does not answer")?;
    let kept = |name: &str| !matches!(name, "content-length" | "connection" | "transfer-encoding");
    let headers = answer.headers.into_iter().filter(|(name, _)| kept(name)).collect();
    Ok(Answer::Http { status: answer.status, headers, body: answer.body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_put_and_misbehaves_as_told() {
        let bucket = Bucket::start().unwrap();
        let relay = Client::new(bucket.relay.port());
        let put = |key: &str| relay.send("PUT", &format!("/{NAME}/{key}"), &[], b"text").map(|a| a.status);
        assert_eq!(put("a").unwrap(), 200);
        bucket.judge(|request| match request.path.ends_with("refused") {
            true => Fate::Answer(Answer::status(403)),
            false => Fate::LoseAnswer,
        });
        assert_eq!(put("refused").unwrap(), 403);
        assert!(put("b").is_err(), "stored, and nobody hears of it");
        assert_eq!(bucket.keys().unwrap(), ["a", "b"]);
        assert_eq!(bucket.get("b").unwrap(), b"text");
        assert_eq!(bucket.unfinished().unwrap(), 0);
    }
}
