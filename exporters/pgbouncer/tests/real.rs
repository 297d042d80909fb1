//! A real pooler in front of a real server. `PGBOUNCER` and `POSTGRES` name the programs.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails; it runs the real programs, and waits for them"
)]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use taffrail_core::{Out, Run, Subject};
use taffrail_pgbouncer::{CONSOLE, GROUPS, subject};
use taffrail_postgres::Server;
use taffrail_postgres::config::{Password, Secret};

/// The program that `collector/tests/setup.sh` set up under this name.
fn program(name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(name) {
        return path.into();
    }
    let env = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/env.sh");
    let text = fs::read_to_string(&env).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
    line.unwrap().trim_matches('\'').into()
}

/// A command that PostgreSQL's programs run under: they refuse to run as root.
fn command(program: &Path) -> Command {
    if rustix::process::getuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// Programs that end with the value, and their folder.
struct Rig {
    children: Vec<Child>,
    pooler: u16,
    dir: tempfile::TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_for(port: u16) {
    let until = Instant::now() + Duration::from_secs(60);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "nothing listens on {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn own(path: &Path) {
    if rustix::process::getuid().is_root() {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
}

fn start() -> Rig {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    own(dir.path());
    let data = dir.path().join("data");
    let postgres = program("POSTGRES");
    let mut initdb = command(&postgres.with_file_name("initdb"));
    let options = ["-U", "ada", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"];
    assert!(initdb.arg("-D").arg(&data).args(options).stdout(Stdio::null()).status().unwrap().success());
    let (port, pooler) = (free_port(), free_port());
    let mut server = command(&postgres);
    server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-c", "fsync=off"]);
    let server = server.arg("-k").arg(dir.path()).stderr(Stdio::null()).spawn().unwrap();
    let mut rig = Rig { children: vec![server], pooler, dir };
    wait_for(port);
    rig.pool(port);
    rig
}

impl Rig {
    fn pool(&mut self, port: u16) {
        let (ini, users) = (self.dir.path().join("pgbouncer.ini"), self.dir.path().join("users.txt"));
        fs::write(&users, "\"ada\" \"\"\n\"stats\" \"hunter2\"\n").unwrap();
        let text = format!(
            "[databases]\nshop = host=127.0.0.1 port={port} dbname=postgres pool_size=7\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\nauth_type = md5\nauth_file = {}\n\
             stats_users = stats\nmax_client_conn = 77\n",
            self.pooler,
            users.display()
        );
        fs::write(&ini, text).unwrap();
        own(&ini);
        own(&users);
        let mut pooler = command(&program("PGBOUNCER"));
        self.children.push(pooler.arg("-q").arg(&ini).stderr(Stdio::null()).spawn().unwrap());
        wait_for(self.pooler);
    }

    fn server(&self, password: &str) -> Server {
        let url = format!("postgres://stats@127.0.0.1:{}?sslmode=disable", self.pooler);
        let mut server = taffrail_postgres::url::parse("pool", &url).unwrap();
        server.database = CONSOLE.to_owned();
        server.password = Password::Text(Secret::new(password));
        server.timeout = Duration::from_secs(5);
        server
    }
}

type Samples = HashMap<String, f64>;

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
    run(&mut subject(server), &mut Out::default(), &mut HashMap::new()).await
}

/// Names that this version of the pooler has no column for.
const NEWER: [&str; 9] = [
    "pgbouncer_stats_queries_total",
    "pgbouncer_stats_client_parses_total",
    "pgbouncer_stats_server_parses_total",
    "pgbouncer_stats_binds_total",
    "pgbouncer_stats_server_assignments_total",
    "pgbouncer_pools_server_active_cancel_connections",
    "pgbouncer_pools_server_being_canceled_connections",
    "pgbouncer_pools_client_active_cancel_connections",
    "pgbouncer_pools_client_waiting_cancel_connections",
];

#[tokio::test]
async fn a_pooler_with_work() {
    let mut rig = start();
    let server = rig.server("hunter2");
    let (mut subject, mut out, mut known) = (subject(&server), Out::default(), HashMap::new());
    let (samples, error) = run(&mut subject, &mut out, &mut known).await;
    assert_eq!(error, None);
    assert_eq!(samples["pgbouncer_up"], 1.0);
    assert_eq!(samples["pgbouncer_config_max_client_connections"], 77.0);
    let shop = samples
        .keys()
        .find(|name| name.starts_with("pgbouncer_databases_pool_size{") && name.contains("name=\"shop\""));
    assert_eq!(samples[shop.unwrap()], 7.0);
    let names: BTreeSet<&str> = samples.keys().map(|name| name.split('{').next().unwrap()).collect();
    let declared = GROUPS.iter().flat_map(|(_, metrics)| metrics.iter().map(|metric| metric.name));
    let missing: Vec<&str> = declared.filter(|name| !names.contains(name) && !NEWER.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "of what is declared");
    // On the same connection, and as often as asked.
    let (again, _) = run(&mut subject, &mut out, &mut known).await;
    let own = |samples: &Samples| {
        let mine = samples.iter().filter(|(name, _)| {
            name.starts_with("pgbouncer_client_connections{") && name.contains("user=\"stats\"")
        });
        mine.map(|(_, value)| *value).sum::<f64>()
    };
    assert_eq!((own(&samples), own(&again)), (1.0, 1.0));
    // A pooler that was restarted is asked on a new connection.
    let mut pooler = rig.children.pop().unwrap();
    pooler.kill().unwrap();
    pooler.wait().unwrap();
    let (gone, error) = run(&mut subject, &mut out, &mut known).await;
    assert_eq!(gone, HashMap::from([("pgbouncer_up".to_owned(), 0.0)]));
    assert!(error.as_ref().is_some_and(|e| e.contains("refused")), "{error:?}");
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let rig = start();
    let (samples, error) = once(&rig.server("wrong")).await;
    assert_eq!(samples, HashMap::from([("pgbouncer_up".to_owned(), 0.0)]));
    assert!(error.as_ref().is_some_and(|e| e.contains("stats")), "{error:?}");
    let mut nobody = rig.server("");
    nobody.user = "ada".to_owned();
    let (_, error) = once(&nobody).await;
    assert!(error.is_some());
}
