//! The subject `systemd` against a stand-in on a real socket, well behaved and not. What a real systemd says is compared
//! with node_exporter in the project's integration tests.

#[path = "systemd/double.rs"]
mod double;
#[path = "systemd/server.rs"]
mod server;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use taffrail_core::golden::{self, compare};
use taffrail_core::{Clock, Collect, CollectError, Collected, Filter, Out, Pattern, Run, Subject};
use taffrail_host::{HostConfig, Schedule, systemd};
use zbus::Variant;

use double::{Double, UnitDef, World, unit};
use server::server;

const BUS: &str = "run/dbus/system_bus_socket";
const PRIVATE: &str = "run/systemd/private";

fn config(double: &Double) -> HostConfig {
    HostConfig { rootfs: double.root(), ..HostConfig::default() }
}

/// A subject with what the frame would keep of it.
struct Bed {
    subject: Subject,
    out: Out,
    clock: Clock,
}

impl Bed {
    fn new(config: &HostConfig) -> Self {
        let clock = Clock::manual(1_795_225_326_500_000_000);
        Bed { subject: systemd::subject(config, &clock), out: Out::default(), clock }
    }

    /// One run: its result, and what it wrote by name and labels. Every sample is given, so the table is fresh.
    async fn run(&mut self) -> (Result<(), CollectError>, BTreeMap<String, f64>) {
        self.out = Out::default();
        self.out.begin(0);
        let result = collector(&mut self.subject).collect(&mut self.out).await;
        (result, values(&self.out.finish()))
    }

    async fn good(&mut self) -> BTreeMap<String, f64> {
        let (result, values) = self.run().await;
        result.unwrap();
        values
    }
}

fn collector(subject: &mut Subject) -> &mut dyn Collect {
    match &mut subject.run {
        Run::Async(collect) => collect.as_mut(),
        Run::Blocking(_) => panic!("it would block"),
    }
}

fn values(collected: &Collected) -> BTreeMap<String, f64> {
    assert_eq!(collected.duplicates, 0);
    let value = |series| collected.samples.iter().find(|s| s.series == series).unwrap().value.to_f64();
    let name = |def: &taffrail_core::SeriesDef| {
        let labels: Vec<_> = def.labels.iter().map(|(_, value)| &**value).collect();
        format!("{} {}", def.family.name.strip_prefix("node_systemd_").unwrap(), labels.join(" "))
    };
    collected.new.iter().map(|(series, def)| (name(def).trim_end().to_owned(), value(*series))).collect()
}

fn all(mut config: HostConfig) -> HostConfig {
    config.systemd.units = Filter::excluding(r".+\.(automount|device|mount|scope|slice)");
    config.systemd.all = true;
    config.systemd.start_times = true;
    config.systemd.tasks = true;
    config
}

async fn golden(config: &HostConfig, name: &str) {
    let page = golden::page_async(&mut Bed::new(config).subject).await.unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/systemd").join(name);
    compare(&page, &file).unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn a_small_server() {
    let double = Double::start(BUS, server());
    golden(&config(&double), "default.prom").await;
    golden(&all(config(&double)), "all.prom").await;
}

#[tokio::test]
async fn systemd_s_own_socket_says_the_same() {
    let double = Double::start(PRIVATE, server());
    if rustix::process::geteuid().is_root() {
        golden(&config(&double), "default.prom").await;
    }
    let config = HostConfig { rootfs: "/nowhere".into(), ..config(&double) };
    let named = |path: PathBuf| {
        let mut config = config.clone();
        config.systemd.bus = Some(format!("unix:path=/nowhere/bus;unix:path={}", path.display()));
        config
    };
    let bus = Double::start(BUS, server());
    golden(&named(bus.root().join(BUS)), "default.prom").await;
    let (result, _) = Bed::new(&config).run().await;
    assert!(matches!(result, Err(CollectError::Absent)), "{result:?}");
}

#[tokio::test]
async fn a_run_asks_for_what_may_have_changed_only() {
    let double = Double::start(BUS, server());
    let mut bed = Bed::new(&config(&double));
    bed.good().await;
    let first = double.calls();
    assert_eq!((first["Version"], first["UnitFileState"], first["NAccepted"]), (1, 12, 2), "{first:?}");
    let before = bed.good().await;
    let second = double.calls();
    let expected = [
        ("LastTriggerUSec", 2),
        ("ListUnits", 1),
        ("NAccepted", 1),
        ("NConnections", 1),
        ("NRefused", 1),
        ("NRestarts", 4),
        ("SystemState", 1),
        ("UnitsLoadTimestampMonotonic", 1),
    ];
    assert_eq!(second, expected.map(|(name, calls)| (name.to_owned(), calls)).into());
    assert_eq!(before["socket_accepted_connections_total docker.socket"], 12.0);
    assert_eq!(double.world.lock().unwrap().connections, 1, "one connection is kept");

    // A reload of unit files: what is enabled is asked again, and changes.
    double.change(|world| {
        world.manager.insert("UnitsLoadTimestampMonotonic", Variant::from(18_u64));
        world.units[0].properties.insert("UnitFileState", Variant::from("disabled"));
        world.units[3].properties.insert("UnitFileState", Variant::from("enabled"));
    });
    let after = bed.good().await;
    assert!(!after.contains_key("unit_state nginx.service active notify"));
    assert_eq!(after["unit_state user@0.service active notify"], 1.0);
    // Without news it is asked again after five minutes.
    double.calls();
    bed.clock.advance(Duration::from_secs(299));
    bed.good().await;
    assert!(!double.calls().contains_key("UnitFileState"));
    bed.clock.advance(Duration::from_secs(1));
    bed.good().await;
    assert_eq!(double.calls()["UnitFileState"], 12);
    // A socket that hands over tells its counts again when its state is another.
    double.change(|world| {
        world.units[9].active = "failed";
        world.units[9].properties.insert("NRefused", Variant::from(9_u32));
    });
    assert_eq!(bed.good().await["socket_refused_connections_total docker.socket"], 9.0);
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[tokio::test]
async fn a_systemd_that_hangs_is_given_up_and_asked_again() {
    let double = Double::start(BUS, server());
    let mut config = config(&double);
    let budget = Duration::from_millis(100);
    config.schedules.insert("systemd", Schedule { budget, ..Schedule::default() });
    let mut bed = Bed::new(&config);
    bed.good().await;
    // What was written before is kept.
    let kept: [(&str, &[&str]); 3] = [
        ("ListUnits", &[]),
        ("SystemState", &["units failed"]),
        ("NRestarts", &["units failed", "system_running", "unit_state nginx.service active notify"]),
    ];
    for (hangs, kept) in kept {
        double.change(|world| world.hangs = Some(hangs));
        let clock = Clock::system();
        let begun = clock.monotonic();
        let (result, values) = bed.run().await;
        let took = clock.monotonic() - begun;
        assert!(took < budget, "{took:?}");
        let error = result.unwrap_err().to_string();
        assert!(error.contains("not answered within 80 ms"), "{error}");
        assert_eq!(values.is_empty(), kept.is_empty(), "{hangs}: {values:?}");
        assert!(kept.iter().all(|name| values.contains_key(*name)), "{hangs}: {values:?}");
        assert!(!values.keys().any(|name| name.contains("restart")), "{hangs}: {values:?}");
    }
    let before = open_files();
    for _ in 0..20 {
        bed.run().await.0.unwrap_err();
    }
    // Other tests open some meanwhile; each of these runs opened one.
    assert!(open_files() < before + 15, "{before} open files became {}", open_files());
    double.change(|world| world.hangs = None);
    assert_eq!(bed.good().await["unit_state nginx.service active notify"], 1.0);
}

#[tokio::test]
async fn units_that_vanish_cost_themselves_only() {
    let double = Double::start(BUS, server());
    double.change(|world| world.vanished = vec!["nginx.service".into(), "backup.timer".into()]);
    let mut bed = Bed::new(&config(&double));
    let values = bed.good().await;
    assert!(!values.keys().any(|name| name.contains("nginx") || name.contains("backup.timer")));
    assert_eq!(values["unit_state backup.service failed oneshot"], 1.0);
    double.change(|world| world.vanished = vec!["sshd-each.socket".into()]);
    let values = bed.good().await;
    assert_eq!(values["unit_state nginx.service active notify"], 1.0);
    // It was known; its counts cannot be had.
    assert_eq!(values["unit_state sshd-each.socket active"], 1.0);
    assert!(!values.contains_key("socket_accepted_connections_total sshd-each.socket"));
}

#[tokio::test]
async fn a_connection_that_is_cut_is_made_again() {
    let double = Double::start(BUS, server());
    let mut bed = Bed::new(&config(&double));
    let whole = bed.good().await;
    for calls in [0, 1, 2, 5, 11] {
        double.change(|world| world.cut_after = Some(calls));
        let (result, _) = bed.run().await;
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with("the connection to systemd: "), "after {calls}: {error}");
        assert_eq!(bed.good().await, whole, "after {calls}");
    }
}

#[tokio::test]
async fn odd_names_and_values_do_no_harm() {
    let long = format!("{}.service", "x".repeat(5000));
    let names = [
        "a\"b\\c d.service",
        "new\nline.service",
        "",
        ".",
        "service",
        ".service",
        "é\u{202e}.service",
        &long,
        "nginx.service",
    ];
    let double = Double::start(BUS, server());
    double.change(|world| {
        for name in names {
            world.units.push(unit(name, "active", "enabled").with("Type", 7_u32).with("NRestarts", "x"));
        }
        world.units.push(unit("states.service", "\"", "enabled"));
        world.manager =
            HashMap::from([("Version", Variant::from(257_u32)), ("SystemState", Variant::from(true))]);
    });
    let values = Bed::new(&config(&double)).good().await;
    assert_eq!(values["unit_state a\"b\\c d.service active"], 1.0);
    assert_eq!(values["unit_state nginx.service active notify"], 1.0);
    assert_eq!(values["units \""], 1.0);
    assert_eq!(values["version"], 0.0);
    assert!(!values.contains_key("system_running"));
    let longest = values.keys().map(String::len).max().unwrap();
    assert!(longest < 1100, "{longest}");

    double.change(|world| world.lists_nonsense = true);
    let (result, values) = Bed::new(&config(&double)).run().await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("lists units as `s`, expected `a(ssssssouso)`"), "{error}");
    assert!(values.is_empty());
}

#[tokio::test]
async fn five_thousand_units_are_bounded() {
    let many = |count: usize| -> Vec<UnitDef> {
        let state = |at| if at >= count - 10 { "failed" } else { "active" };
        let make = |at| unit(&format!("app-{at}.service"), state(at), "enabled").with("NRestarts", 1_u32);
        (0..count).map(make).collect()
    };
    let double = Double::start(BUS, World { units: many(5000), ..server() });
    let mut config = config(&double);
    config.schedules.insert("systemd", Schedule { budget: Duration::from_secs(30), ..Schedule::default() });
    let mut bed = Bed::new(&config);
    let values = bed.good().await;
    let of = |family: &str| values.keys().filter(|name| name.starts_with(family)).count();
    assert_eq!((of("unit_state "), of("service_restart_total ")), (5000, 1000));
    assert_eq!(values["unit_state app-4995.service failed"], 1.0, "failed units come first");
    assert_eq!(double.calls()["UnitFileState"], 5000);

    bed.good().await;
    let calls = double.calls();
    assert!(!calls.contains_key("UnitFileState"), "{calls:?}");
    assert_eq!(calls["NRestarts"], 1000);
}

#[tokio::test]
async fn what_is_left_out_is_said_once() {
    let units = (0..1100).map(|at| unit(&format!("{at}.service"), "active", "enabled")).collect();
    let double = Double::start(BUS, World { units, ..server() });
    let mut bed = Bed::new(&config(&double));
    let mut texts = Vec::new();
    for _ in 0..3 {
        bed.out.begin(0);
        collector(&mut bed.subject).collect(&mut bed.out).await.unwrap();
        texts.extend(bed.out.finish().notes.into_iter().map(|note| note.text));
    }
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].starts_with("100 units are left out, 1000 are the most"), "{texts:?}");
}

#[tokio::test]
async fn a_slow_systemd_is_learnt_a_part_at_a_time() {
    let units = (0..100).map(|at| unit(&format!("{at}.service"), "active", "enabled")).collect();
    let double = Double::start(BUS, World { units, ..server() });
    let mut bed = Bed::new(&config(&double));
    // Half a run's time is gone after the first part.
    double.change(|world| world.slow = Some((bed.clock.clone(), Duration::from_millis(10))));
    let states = |values: BTreeMap<String, f64>| {
        values.keys().filter(|name| name.starts_with("unit_state ")).count() / 5
    };
    assert_eq!(states(bed.good().await), 32);
    assert_eq!(states(bed.good().await), 64);
    assert_eq!(states(bed.good().await), 96);
    assert_eq!(states(bed.good().await), 100);
}

#[tokio::test]
async fn who_is_not_there_and_who_says_no() {
    let double = Double::start(BUS, server());
    let mut bed = Bed::new(&config(&double));
    for name in ["org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner"] {
        double.change(|world| world.error = Some(name));
        let (result, _) = bed.run().await;
        assert!(matches!(result, Err(CollectError::Absent)), "{result:?}");
    }
    // Where systemd started the machine it belongs on the bus.
    std::fs::create_dir_all(double.root().join("run/systemd/system")).unwrap();
    let (result, _) = bed.run().await;
    assert_eq!(result.unwrap_err().to_string(), "systemd is not on the bus");

    double.change(|world| world.error = Some("org.freedesktop.DBus.Error.AccessDenied"));
    let (result, _) = bed.run().await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("as the test wants it: let this process read"), "{error}");

    let root = double.root();
    std::fs::remove_file(root.join(BUS)).unwrap();
    std::os::unix::net::UnixListener::bind(root.join(BUS)).unwrap();
    let (result, _) = Bed::new(&config(&double)).run().await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("system_bus_socket: ") && error.contains("refused"), "{error}");
}

/// The pattern is tried against whole names, as node_exporter's.
#[tokio::test]
async fn filters_match_whole_names() {
    let double = Double::start(BUS, server());
    let mut config = all(config(&double));
    config.systemd.units =
        Filter { include: Pattern::new("backup|n.+service").ok(), exclude: Pattern::new("user").ok() };
    let values = Bed::new(&config).good().await;
    let names = values.keys().filter_map(|name| name.strip_prefix("unit_start_time_seconds "));
    assert_eq!(names.collect::<Vec<_>>(), ["nginx.service"]);
}
