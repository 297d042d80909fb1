//! PostgreSQL probes of a real server, and of what is none. `POSTGRES` names the server's program.

use std::fs;
use std::net::TcpListener as StdListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use taffrail_probe::postgres::Settings;
use taffrail_probe::{Module, Prober, Secret, Source};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::kit::{probe, program};

fn module(settings: Settings) -> Module {
    Module { prober: Prober::Postgres(Box::new(settings)), timeout: Some(Duration::from_secs(10)) }
}

/// A server with a database of its own; it ends with the value.
struct Server {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that PostgreSQL's programs run under: they refuse to run as root.
#[expect(clippy::disallowed_methods, reason = "a test runs the real server")]
fn command(program: &Path) -> Command {
    if rustix::process::getuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn start() -> Server {
    let program = program("POSTGRES");
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let (data, password) = (dir.path().join("data"), dir.path().join("password"));
    fs::write(&password, "hunter2\n").unwrap();
    if rustix::process::getuid().is_root() {
        std::os::unix::fs::chown(dir.path(), Some(65534), Some(65534)).unwrap();
        std::os::unix::fs::chown(&password, Some(65534), Some(65534)).unwrap();
    }
    let mut initdb = command(&program.with_file_name("initdb"));
    initdb.arg("-D").arg(&data).arg("--pwfile").arg(&password).stdout(Stdio::null());
    let options = ["-U", "ada", "--auth=scram-sha-256", "--no-sync", "-E", "UTF8", "--locale=C"];
    assert!(initdb.args(options).status().unwrap().success());
    let port = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = command(&program);
    server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1"]);
    server.arg("-k").arg(dir.path()).args(["-c", "fsync=off", "-c", "max_connections=10"]);
    server.args(["-c", "superuser_reserved_connections=3"]);
    let child = server.stderr(Stdio::null()).spawn().unwrap();
    Server { child, port, _dir: dir }
}

#[tokio::test]
async fn a_server_is_asked_and_logged_into() {
    let server = start();
    let target = format!("127.0.0.1:{}", server.port);
    let ping = module(Settings { user: "ada".into(), ..Settings::default() });
    // It starts now: refused, then "starting up", then there.
    let mut tries = 0;
    let (verdict, samples) = loop {
        let (verdict, samples) = probe(&ping, &target).await;
        if verdict.success() || tries > 200 {
            break (verdict, samples);
        }
        assert_eq!(samples["probe_postgres_accepting"], 0.0);
        tries += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(verdict.success(), "{}", verdict.trail.text());
    assert_eq!(samples["probe_postgres_accepting"], 1.0);
    assert!(samples["probe_postgres_duration_seconds{phase=\"startup\"}"] > 0.0);

    let login = |password: &str| {
        let password = Some(Source::Text(Secret::new(password)));
        module(Settings { user: "ada".into(), password, ..Settings::default() })
    };
    let (verdict, samples) = probe(&login("hunter2"), &target).await;
    assert!(verdict.success(), "{}", verdict.trail.text());
    assert!(samples["probe_postgres_duration_seconds{phase=\"query\"}"] > 0.0);

    let (verdict, samples) = probe(&login("hunter3"), &target).await;
    let failure = verdict.failure.unwrap().to_string();
    assert_eq!(failure, "logging in: password authentication failed for user \"ada\" (SQLSTATE 28P01)");
    assert_eq!(samples["probe_postgres_accepting"], 1.0, "it takes connections of others");
    assert!(!samples.contains_key("probe_postgres_duration_seconds{phase=\"query\"}"));
}

fn refusal(code: &str, message: &str) -> Vec<u8> {
    let body = format!("SFATAL\0C{code}\0M{message}\0\0");
    let mut bytes = vec![b'E'];
    bytes.extend((body.len() as u32 + 4).to_be_bytes());
    bytes.extend(body.bytes());
    bytes
}

#[tokio::test]
async fn what_is_no_server_fails() {
    for (answer, wanted) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "it does not speak PostgreSQL's protocol"),
        (b"".to_vec(), "eof"),
        (refusal("57P03", "the database is starting up"), "the database is starting up"),
        (refusal("53300", "full"), "takes no connections: full"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(&answer).await.unwrap();
            // What it was asked is read, or the answer would be lost with a reset.
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 512]).await;
        });
        let (verdict, samples) = probe(&module(Settings::default()), &target).await;
        let failure = verdict.failure.unwrap().to_string();
        assert!(failure.contains(wanted), "{failure}");
        assert_eq!(samples["probe_postgres_accepting"], 0.0);
    }
}
