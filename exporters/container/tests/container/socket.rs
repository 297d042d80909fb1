//! An engine on a socket that answers what a test says: for what a real one cannot be made to do.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use taffrail_container::inventory::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// With this status and body.
    Whole(u16, String),
    /// With half of what was promised.
    Half(String),
    /// Never.
    Never,
}

type Answers = Arc<Mutex<dyn FnMut(&str) -> Answer + Send>>;

/// A socket that answers.
pub struct Socket {
    pub folder: tempfile::TempDir,
    /// Lines written here reach all that follow the events; `end` ends their streams.
    pub events: broadcast::Sender<String>,
    /// The paths that were asked for.
    pub asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

pub const END: &str = "end";

impl Socket {
    pub fn new(answers: impl FnMut(&str) -> Answer + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let events = broadcast::channel(10_000).0;
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let task = Self::listen(folder.path(), &events, &asked, Arc::new(Mutex::new(answers)));
        Socket { folder, events, asked, task }
    }

    pub fn address(&self) -> Address {
        Address::Unix(socket(self.folder.path()))
    }

    /// Nobody listens any more; streams end.
    pub fn stop(&self) {
        self.task.abort();
        std::fs::remove_file(socket(self.folder.path())).unwrap();
        let _ = self.events.send(END.to_owned());
    }

    /// Listens again.
    pub fn start(&mut self, answers: impl FnMut(&str) -> Answer + Send + 'static) {
        self.task =
            Self::listen(self.folder.path(), &self.events, &self.asked, Arc::new(Mutex::new(answers)));
    }

    fn listen(
        folder: &Path,
        events: &broadcast::Sender<String>,
        asked: &Arc<Mutex<Vec<String>>>,
        answers: Answers,
    ) -> JoinHandle<()> {
        let listener = UnixListener::bind(socket(folder)).unwrap();
        let (events, asked) = (events.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, events.subscribe(), asked.clone(), answers.clone()));
            }
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("engine.sock")
}

async fn serve(
    mut stream: UnixStream,
    mut events: broadcast::Receiver<String>,
    asked: Arc<Mutex<Vec<String>>>,
    answers: Answers,
) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            return;
        }
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap().to_owned();
    asked.lock().unwrap().push(path.clone());
    let answer = (answers.lock().unwrap())(&path);
    match answer {
        Answer::Never => std::future::pending().await,
        Answer::Half(body) => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let half = &body.as_bytes()[..body.len() / 2];
            let _ = stream.write_all(&[head.as_bytes(), half].concat()).await;
        }
        Answer::Whole(..) if path.starts_with("/events") => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            while let Ok(line) = events.recv().await {
                let end = line == END;
                let chunk = if end { "0\r\n\r\n".into() } else { format!("{:x}\r\n{line}\r\n", line.len()) };
                if stream.write_all(chunk.as_bytes()).await.is_err() || end {
                    return;
                }
            }
        }
        Answer::Whole(status, body) => {
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await;
        }
    }
}

/// What the committed engine answers.
pub fn committed(path: &str) -> Answer {
    let file = match path.split('?').next().unwrap() {
        "/version" => "version".to_owned(),
        "/events" => return Answer::Whole(200, String::new()),
        "/containers/json" => "list".to_owned(),
        path => path.trim_start_matches("/containers/").trim_end_matches("/json").to_owned(),
    };
    match std::fs::read_to_string(Path::new("fixtures/engine").join(file).with_extension("json")) {
        Ok(body) => Answer::Whole(200, body),
        Err(_) => Answer::Whole(404, r#"{"message":"no such container"}"#.to_owned()),
    }
}
