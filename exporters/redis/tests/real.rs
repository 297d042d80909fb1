//! Real servers: a primary with a password, a replica, keys of every type; and what is no server. `REDIS` names the
//! server's program.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails; it runs the real server, and waits for it"
)]

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::net::TcpListener as StdListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use taffrail_core::{Clock, Out, Run, Secret, Source, Subject};
use taffrail_redis::{Server, Tls, subject};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The program that `collector/tests/setup.sh` set up under this name.
fn program(name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(name) {
        return path.into();
    }
    let env = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/env.sh");
    let text = std::fs::read_to_string(&env).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
    line.unwrap().trim_matches('\'').into()
}

/// A server that ends with the value.
struct Real {
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start(options: &[&str]) -> Real {
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let child = Command::new(program("REDIS"))
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(dir.path())
        .args(["--unixsocket"])
        .arg(dir.path().join("socket"))
        .args(options)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let real = Real { child, port, dir };
    let until = Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "the server does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    real
}

impl Real {
    /// Runs commands that the server must take.
    fn run(&self, commands: &[&str]) {
        use std::io::Read;
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        for command in commands {
            stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
            let mut answer = [0; 512];
            let len = stream.read(&mut answer).unwrap();
            assert_ne!(answer[..len][0], b'-', "{command}: {}", String::from_utf8_lossy(&answer[..len]));
        }
    }

    fn server(&self) -> Server {
        server(&format!("redis://127.0.0.1:{}", self.port))
    }
}

fn server(url: &str) -> Server {
    Server {
        name: "cache".to_owned(),
        address: url.parse().unwrap(),
        username: None,
        password: None,
        tls: Tls::default(),
        keys: Vec::new(),
        interval: Duration::from_secs(15),
        timeout: Duration::from_secs(5),
        labels: BTreeMap::new(),
    }
}

type Samples = HashMap<String, f64>;

/// One run: what it said, and its error.
async fn run(
    subject: &mut Subject,
    out: &mut Out,
    known: &mut HashMap<u32, String>,
) -> (Samples, Option<String>) {
    let Run::Async(collect) = &mut subject.run else { unreachable!() };
    out.begin(1_000);
    let error = collect.collect(out).await.err().map(|e| e.to_string());
    let collected = out.finish();
    assert_eq!(collected.duplicates, 0);
    for (series, def) in &collected.new {
        let declared = taffrail_redis::GROUPS.iter().flat_map(|(_, metrics)| *metrics);
        assert!(declared.into_iter().any(|metric| metric.name == def.family.name), "{}", def.family.name);
        let labels: Vec<_> = def.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let name = match labels.is_empty() {
            true => def.family.name.clone(),
            false => format!("{}{{{}}}", def.family.name, labels.join(",")),
        };
        known.insert(series.0, name);
    }
    let samples = collected.samples.iter().map(|s| (known[&s.series.0].clone(), s.value.to_f64()));
    (samples.collect(), error)
}

async fn once(server: &Server) -> (Samples, Option<String>) {
    let mut subject = subject(server, &Clock::system());
    run(&mut subject, &mut Out::default(), &mut HashMap::new()).await
}

#[tokio::test]
async fn a_server_with_keys_of_every_type() {
    let real = start(&["--requirepass", "hunter2", "--slowlog-log-slower-than", "0"]);
    real.run(&[
        "AUTH hunter2",
        "RPUSH celery a b c",
        "SADD set a b",
        "ZADD zset 1 a",
        "HSET hash a 1 b 2",
        "SET string hello EX 100",
        "SELECT 3",
        "XADD stream * a 1",
        "XADD stream * a 2",
    ]);
    let keys = ["celery", "set", "zset", "hash", "string", "db3=stream", "none"];
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "hunter2\n").unwrap();
    let server = Server {
        keys: keys.iter().map(|key| key.parse().unwrap()).collect(),
        password: Some(Source::File(file.path().to_owned())),
        ..real.server()
    };
    let (mut samples, error) = once(&server).await;
    assert_eq!(error, None);
    let mut take = |name: &str| samples.remove(name).unwrap_or(f64::NAN);
    assert_eq!(take("redis_up"), 1.0);
    assert_eq!(take("redis_connected_clients"), 1.0);
    assert_eq!(take("redis_max_clients"), 10000.0);
    assert!(take("redis_memory_used_bytes") > 500_000.0);
    assert_eq!(take("redis_rdb_last_bgsave_status"), 1.0);
    assert_eq!(take("redis_db_keys{db=\"db0\"}"), 5.0);
    assert_eq!(take("redis_db_keys_expiring{db=\"db0\"}"), 1.0);
    let ttl = take("redis_db_avg_ttl_seconds{db=\"db0\"}");
    assert!((0.0..=100.0).contains(&ttl), "{ttl}");
    assert_eq!(take("redis_commands_total{cmd=\"rpush\"}"), 1.0);
    assert!(take("redis_commands_duration_seconds_total{cmd=\"rpush\"}") > 0.0);
    assert_eq!(take("redis_commands_failed_calls_total{cmd=\"rpush\"}"), 0.0);
    assert!(take("redis_slowlog_length") > 0.0);
    assert!(take("redis_start_time_seconds") > 1.7e9);
    let sizes = [("db0", "celery", 3.0), ("db0", "set", 2.0), ("db0", "zset", 1.0), ("db0", "hash", 2.0)];
    let others = [("db0", "string", 5.0), ("db3", "stream", 2.0), ("db0", "none", 0.0)];
    for (db, key, size) in sizes.into_iter().chain(others) {
        assert_eq!(take(&format!("redis_key_size{{db={db:?},key={key:?}}}")), size, "{key}");
    }
    assert_eq!(take("redis_stream_length{db=\"db3\",stream=\"stream\"}"), 2.0);
    // Every field of INFO that is known is there, of those that this version has.
    assert!(samples.len() > 130, "{}", samples.len());
}

#[tokio::test]
async fn a_replica_and_its_primary() {
    let primary = start(&[]);
    let replica =
        start(&["--replicaof", "127.0.0.1", &primary.port.to_string(), "--repl-diskless-sync-delay", "0"]);
    let link = format!("redis_master_link_up{{master_host=\"127.0.0.1\",master_port=\"{}\"}}", primary.port);
    let until = Instant::now() + Duration::from_secs(30);
    let seen = loop {
        let (samples, _) = once(&replica.server()).await;
        if samples.get(&link) == Some(&1.0) {
            break samples;
        }
        assert!(Instant::now() < until, "{samples:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(
        seen.keys().any(|name| name.starts_with("redis_slave_info{") && name.contains("read_only=\"1\""))
    );
    assert!(seen.keys().any(|name| name.starts_with("redis_slave_repl_offset{")));
    assert!(seen.keys().any(|name| name.contains("role=\"slave\"")));
    let (samples, _) = once(&primary.server()).await;
    assert_eq!(samples["redis_connected_slaves"], 1.0);
    let offset = samples.keys().find(|name| name.starts_with("redis_connected_slave_offset_bytes{"));
    assert!(
        offset.is_some_and(|name| name.contains(&format!("slave_port=\"{}\"", replica.port))),
        "{offset:?}"
    );
}

#[tokio::test]
async fn a_connection_is_kept_and_made_anew() {
    let real = start(&[]);
    let server = Server {
        address: format!("unix://{}", real.dir.path().join("socket").display()).parse().unwrap(),
        ..real.server()
    };
    let mut subject = subject(&server, &Clock::system());
    let (mut out, mut known) = (Out::default(), HashMap::new());
    let connections = "redis_connections_received_total";
    let (first, _) = run(&mut subject, &mut out, &mut known).await;
    let (second, _) = run(&mut subject, &mut out, &mut known).await;
    assert_eq!(first[connections], second[connections], "one connection for both");
    assert_eq!(first["redis_start_time_seconds"], second["redis_start_time_seconds"]);
    real.run(&["CLIENT KILL TYPE normal SKIPME yes"]);
    let (third, error) = run(&mut subject, &mut out, &mut known).await;
    assert_eq!((third["redis_up"], error), (1.0, None));
    drop(real);
    let (gone, error) = run(&mut subject, &mut out, &mut known).await;
    assert_eq!(gone, HashMap::from([("redis_up".to_owned(), 0.0)]));
    assert!(error.is_some());
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let real = start(&["--requirepass", "hunter2"]);
    let (samples, error) = once(&real.server()).await;
    assert_eq!(samples["redis_up"], 0.0);
    assert!(error.as_ref().is_some_and(|e| e.contains("NOAUTH")), "{error:?}");
    let wrong = Server { password: Some(Source::Text(Secret::new("x"))), ..real.server() };
    let (_, error) = once(&wrong).await;
    assert!(error.as_ref().is_some_and(|e| e.contains("WRONGPASS")), "{error:?}");
    let missing = Server { password: Some(Source::File("/nonexistent/pw".into())), ..real.server() };
    let (_, error) = once(&missing).await;
    assert!(error.as_ref().is_some_and(|e| e.contains("/nonexistent/pw: ")), "{error:?}");
    let (_, error) = once(&server(&format!("redis://127.0.0.1:{}", free_port()))).await;
    assert!(error.as_ref().is_some_and(|e| e.contains("refused")), "{error:?}");
}

#[tokio::test]
async fn everything_a_server_says() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let info = std::fs::read_to_string(dir.join("fixtures/info.txt")).unwrap().replace('\n', "\r\n");
    let slow =
        ":12\r\n*1\r\n*6\r\n:11\r\n:1700000000\r\n:2500\r\n*1\r\n$4\r\nKEYS\r\n$3\r\na:1\r\n$0\r\n\r\n";
    let answers = format!("${}\r\n{info}\r\n{slow}+OK\r\n+stream\r\n+OK\r\n:42\r\n", info.len());
    let server = Server { keys: vec!["db1=mail".parse().unwrap()], ..double(answers.into()).await };
    let mut subject = subject(&server, &Clock::manual(1_700_000_000_000_000_000));
    let page = taffrail_core::golden::page_async(&mut subject).await.unwrap();
    taffrail_core::golden::compare(&page, &dir.join("golden/server.prom")).unwrap();
}

/// A server that answers each connection with `answer`, then keeps it open.
async fn double(answer: Vec<u8>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 64]).await;
                let _ = stream.write_all(&answer).await;
                tokio::time::sleep(Duration::from_secs(60)).await;
            });
        }
    });
    Server { timeout: Duration::from_millis(300), ..server(&format!("redis://127.0.0.1:{port}")) }
}

#[tokio::test]
async fn strange_answers_end_within_the_time() {
    let endless = [b"$4194304\r\n".to_vec(), vec![b'x'; 1 << 20]].concat();
    let cases = [
        (b"HTTP/1.1 400 Bad Request\r\n".to_vec(), "not Redis' protocol"),
        (b"$999999999999\r\n".to_vec(), "larger than any"),
        (b"*3\r\n*9999999\r\n".to_vec(), "larger than any"),
        (endless, "nothing within 300ms"),
        (Vec::new(), "nothing within 300ms"),
        (b"-LOADING Redis is loading the dataset in memory\r\n:0\r\n*0\r\n".to_vec(), "LOADING"),
    ];
    for (answer, wanted) in cases {
        let (samples, error) = once(&double(answer).await).await;
        assert_eq!(samples, HashMap::from([("redis_up".to_owned(), 0.0)]));
        assert!(error.as_ref().is_some_and(|e| e.contains(wanted)), "{wanted}: {error:?}");
    }
}
