//! The subject `systemd` beside node_exporter, both asking one real systemd; and a systemd that hangs.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use taffrail_core::{Clock, Filter, golden};
use taffrail_host::HostConfig;
use taffrail_tests::{NodeExporter, Systemd, Taffrail, wait_for};

use crate::support::SOON;

/// Units of each kind and in each state; the names of those that are published by default are in [`PUBLISHED`].
const UNITS: [(&str, &str); 11] = [
    (
        "web.service",
        "[Unit]\nWants=helper.service\n[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=default.target\n",
    ),
    ("helper.service", "[Service]\nType=exec\nExecStart=sleep infinity\n"),
    (
        "odd-name@a:b\\x2dc.service",
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\n[Install]\nWantedBy=default.target\n",
    ),
    (
        "flaky.service",
        "[Unit]\nStartLimitBurst=3\n[Service]\nExecStart=false\nRestart=always\nRestartSec=50ms\n[Install]\nWantedBy=default.target\n",
    ),
    ("nightly.service", "[Service]\nType=oneshot\nExecStart=true\n"),
    ("nightly.timer", "[Timer]\nOnActiveSec=1ms\nAccuracySec=1ms\n[Install]\nWantedBy=default.target\n"),
    ("later.timer", "[Timer]\nOnActiveSec=1d\nUnit=nightly.service\n[Install]\nWantedBy=default.target\n"),
    (
        "echo.socket",
        "[Socket]\nListenStream=DIR/echo\nAccept=yes\nMaxConnections=1\n[Install]\nWantedBy=default.target\n",
    ),
    ("echo@.service", "[Service]\nExecStart=cat\nStandardInput=socket\n"),
    ("hand.socket", "[Socket]\nListenStream=DIR/hand\n[Install]\nWantedBy=default.target\n"),
    ("hand.service", "[Service]\nExecStart=sleep infinity\n"),
];

const PUBLISHED: [&str; 7] = [
    "echo.socket",
    "flaky.service",
    "hand.socket",
    "later.timer",
    "nightly.timer",
    "odd-name@a:b\\\\x2dc.service",
    "web.service",
];

/// The samples of the subject on a page, and the type of each family.
fn samples(page: &str) -> BTreeMap<String, String> {
    let lines = page.lines().filter(|line| line.contains("node_systemd_") && !line.starts_with("# HELP"));
    let pairs = lines.filter_map(|line| line.rsplit_once(' '));
    // Numbers are written in two ways: 1.795237325026622e+09.
    let value = |text: &str| text.parse::<f64>().map_or_else(|_| text.to_owned(), |value| value.to_string());
    // Labels come in another order, and with the job and the instance of what is scraped.
    pairs.map(|(name, text)| (sorted(name), value(text))).collect()
}

fn sorted(name: &str) -> String {
    let Some((family, labels)) = name.split_once('{') else { return name.to_owned() };
    let labels = labels.trim_end_matches('}').split("\",");
    let mut labels: Vec<&str> = labels.map(|label| label.trim_end_matches('"')).collect();
    labels.retain(|label| !label.starts_with("job=") && !label.starts_with("instance="));
    labels.sort_unstable();
    format!("{family} {}", labels.join(" "))
}

fn differences(ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) -> Result<()> {
    let one_sided = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| -> Vec<String> {
        a.iter()
            .filter(|(name, value)| b.get(*name) != Some(value))
            .map(|(n, v)| format!("{n} {v}"))
            .collect()
    };
    let (more, less) = (one_sided(ours, theirs), one_sided(theirs, ours));
    ensure!(more.is_empty() && less.is_empty(), "only taffrail: {more:#?}\nonly node_exporter: {less:#?}");
    Ok(())
}

/// Connects to both sockets: one connection is served and one refused by the one, the other starts its service.
fn knock(systemd: &Systemd) -> Vec<std::os::unix::net::UnixStream> {
    // The bus is there before the last unit has started.
    let connect = |name| {
        let open = || Ok(std::os::unix::net::UnixStream::connect(systemd.dir().join(name))?);
        wait_for("a socket of systemd's", SOON, open).unwrap()
    };
    vec![connect("echo"), connect("echo"), connect("hand")]
}

#[test]
fn all_that_node_exporter_says_of_systemd() {
    let systemd = Systemd::start(&UNITS).unwrap();
    let args = [
        "--collector.disable-defaults",
        "--collector.systemd",
        "--collector.systemd.enable-task-metrics",
        "--collector.systemd.enable-restarts-metrics",
        "--collector.systemd.enable-start-time-metrics",
        r"--collector.systemd.unit-exclude=.+\.(automount|device|scope|slice)",
    ];
    let bus = systemd.bus();
    let node_exporter = NodeExporter::start_with(&args, &[("DBUS_SYSTEM_BUS_ADDRESS", &bus)]).unwrap();
    let mut config = HostConfig::default();
    config.systemd.bus = Some(bus);
    config.systemd.units = Filter::excluding(r".+\.(automount|device|scope|slice)");
    config.systemd.all = true;
    config.systemd.start_times = true;
    config.systemd.tasks = true;
    let _open = knock(&systemd);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let both = wait_for("both to say the same", SOON, || {
        // A fresh one each time: its page has all that it writes in one run.
        let mut subject = taffrail_host::systemd::subject(&config, &Clock::system());
        let ours = samples(&runtime.block_on(golden::page_async(&mut subject))?);
        let theirs = samples(&node_exporter.metrics()?);
        // The restarts and the timer take a moment.
        let failed = "node_systemd_unit_state name=\"flaky.service state=\"failed type=\"simple";
        ensure!(theirs.get(failed).is_some_and(|value| value == "1"), "flaky.service has not failed");
        differences(&ours, &theirs)?;
        Ok(ours)
    })
    .unwrap();
    for (name, value) in [
        ("node_systemd_service_restart_total name=\"flaky.service", "3"),
        ("node_systemd_socket_accepted_connections_total name=\"echo.socket", "1"),
        ("node_systemd_socket_current_connections name=\"echo.socket", "1"),
        ("node_systemd_socket_refused_connections_total name=\"echo.socket", "1"),
        ("node_systemd_unit_state name=\"hand.service state=\"active type=\"simple", "1"),
        ("# TYPE node_systemd_socket_refused_connections_total", "gauge"),
    ] {
        assert_eq!(both.get(name).map(String::as_str), Some(value), "{name} of {both:#?}");
    }
    assert!(both.len() > 150, "{both:#?}");
}

fn page(taffrail: &Taffrail) -> String {
    taffrail.client().get_ok("/metrics/host").unwrap().text()
}

#[test]
fn what_is_enabled_or_failed_is_published_and_a_hang_costs_nothing_else() {
    let mut systemd = Systemd::start(&UNITS).unwrap();
    let _open = knock(&systemd);
    let mut taffrail = Taffrail::prepare("interval: 1s\nhostname: ship\nhost: {}\n").unwrap();
    taffrail.set_variable("DBUS_SYSTEM_BUS_ADDRESS", &systemd.bus());
    taffrail.restart().unwrap();
    wait_for("the units", SOON, || {
        let samples = samples(&page(&taffrail));
        let of_unit = |name: &String| name.strip_prefix("node_systemd_unit_state name=\"").map(str::to_owned);
        let names = samples.keys().filter_map(of_unit);
        let mut names: Vec<String> =
            names.filter_map(|name| Some(name.split_once(' ')?.0.to_owned())).collect();
        names.dedup();
        ensure!(names == PUBLISHED, "published are {names:?}");
        let refused = "node_systemd_socket_refused_connections_total name=\"echo.socket";
        ensure!(samples.get(refused).is_some_and(|value| value == "1"), "{samples:#?}");
        Ok(())
    })
    .unwrap();

    systemd.hang().unwrap();
    let failed = "node_scrape_collector_success{collector=\"systemd\"";
    let success = |page: &str| page.lines().find(|line| line.starts_with(failed)).map(str::to_owned);
    wait_for("a hang to be noticed", SOON, || {
        let page = page(&taffrail);
        ensure!(success(&page).is_some_and(|line| line.ends_with(" 0")), "{:?}", success(&page));
        ensure!(!page.contains("node_systemd_"), "it still says something of systemd");
        Ok(())
    })
    .unwrap();
    for _ in 0..10 {
        let asked = Instant::now();
        let page = page(&taffrail);
        assert!(asked.elapsed() < Duration::from_millis(500));
        assert!(page.contains("\nnode_load1 ") && page.contains("success{collector=\"cpu\"} 1"));
        sleep(Duration::from_millis(200));
    }
    systemd.go_on().unwrap();
    wait_for("systemd to be back", SOON, || {
        ensure!(page(&taffrail).contains("node_systemd_system_running"), "it is not");
        Ok(())
    })
    .unwrap();

    // Now it ends, and its bus with it.
    drop(systemd);
    wait_for("the end to be noticed", SOON, || {
        ensure!(!page(&taffrail).contains("node_systemd_"), "it still says something of systemd");
        Ok(())
    })
    .unwrap();
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
}
