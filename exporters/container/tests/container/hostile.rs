//! Cgroups that go while they are read, files that hold anything, names and labels with every byte.

use std::fs;
use std::path::Path;

use taffrail_container::ContainerConfig;
use taffrail_core::text::{Format, page};
use taffrail_core::{Clock, Out};

use crate::socket::{Answer, Socket};
use crate::{Kept, run, subject};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

/// A copy of a fixture that may be broken, and the settings for it.
fn broken(case: &str) -> (tempfile::TempDir, ContainerConfig) {
    let temp = tempfile::tempdir().unwrap();
    copy(&Path::new("fixtures").join(case), temp.path());
    let root = |name: &str| temp.path().join(name);
    let config = ContainerConfig {
        procfs: root("proc"),
        sysfs: root("sys"),
        rootfs: root("root"),
        engine: Some(taffrail_container::inventory::Address::Unix(root("none.sock"))),
        full: true,
        ..ContainerConfig::default()
    };
    (temp, config)
}

fn cgroups(config: &ContainerConfig) -> Vec<std::path::PathBuf> {
    let tree = config.sysfs.join("fs/cgroup");
    let walked = taffrail_container::walk::walk(&tree).unwrap();
    walked.found.iter().map(|found| tree.join(found.path.trim_start_matches('/'))).collect()
}

#[tokio::test]
async fn a_container_that_goes_takes_all_its_series_with_it() {
    let (_temp, config) = broken("v2");
    let kept = Kept::of(config.engine.clone().unwrap());
    let mut subject = subject(&config, &kept.inventory, &Clock::manual(0), "usage");
    let mut out = Out::default();
    let (first, result) = run(&mut subject, &mut out);
    result.unwrap();
    let cgroup = &cgroups(&config)[0];
    let id = format!("/{}", cgroup.strip_prefix(config.sysfs.join("fs/cgroup")).unwrap().display());
    let of_it = first.new.iter().filter(|(_, def)| def.labels.iter().any(|(n, v)| n == "id" && **v == id));
    let of_it: Vec<_> = of_it.map(|(series, _)| *series).collect();
    assert!(of_it.len() > 40, "{}", of_it.len());
    fs::remove_dir_all(cgroup).unwrap();
    let (second, result) = run(&mut subject, &mut out);
    result.unwrap();
    assert!(second.new.is_empty());
    let mut gone = second.gone.clone();
    gone.sort_unstable();
    let mut expected = of_it;
    expected.sort_unstable();
    assert_eq!(gone, expected);
}

#[tokio::test]
async fn a_cgroup_that_is_emptied_while_it_is_read_is_gone() {
    let (_temp, config) = broken("v2");
    let kept = Kept::of(config.engine.clone().unwrap());
    let mut subject = subject(&config, &kept.inventory, &Clock::manual(0), "usage");
    let mut out = Out::default();
    let all = run(&mut subject, &mut out).0.samples.len();
    // The folder is still found, its files are not: as between the walk and the reading.
    let cgroup = &cgroups(&config)[0];
    for file in fs::read_dir(cgroup).unwrap().flatten().filter(|file| file.path().is_file()) {
        fs::remove_file(file.path()).unwrap();
    }
    fs::write(cgroup.join("x"), "").unwrap();
    // Files that are open already still read here, in cgroups they do not: so a new subject reads them.
    let mut subject = crate::subject(&config, &kept.inventory, &Clock::manual(0), "usage");
    let (after, result) = run(&mut subject, &mut Out::default());
    result.unwrap();
    assert!(after.samples.len() < all - 40, "{} of {all}", after.samples.len());
}

#[tokio::test]
async fn a_file_of_nonsense_is_said_and_spoils_nothing_else() {
    for case in ["v2", "v1"] {
        for nonsense in [b"\xff\x00".as_slice(), b"-", b"nan nan nan\n", b"1\n2\n", &[b'9'; 70_000]] {
            let (_temp, config) = broken(case);
            let kept = Kept::of(config.engine.clone().unwrap());
            let tree = config.sysfs.join(if case == "v2" { "fs/cgroup" } else { "fs/cgroup/memory" });
            let walked = taffrail_container::walk::walk(&tree).unwrap();
            let cgroup = tree.join(walked.found[0].path.trim_start_matches('/'));
            fs::write(cgroup.join("memory.stat"), nonsense).unwrap();
            let mut subject = subject(&config, &kept.inventory, &Clock::manual(0), "usage");
            let (collected, result) = run(&mut subject, &mut Out::default());
            let error = result.unwrap_err().to_string();
            assert!(error.contains("memory.stat: expected"), "{error}");
            let names: Vec<_> = collected.new.iter().map(|(_, def)| def.name().into_owned()).collect();
            assert!(names.iter().any(|name| name == "container_memory_usage_bytes"));
            let failed =
                collected.new.iter().position(|(_, def)| def.name() == "container_scrape_error").unwrap();
            let series = collected.new[failed].0;
            let sample = collected.samples.iter().find(|sample| sample.series == series).unwrap();
            assert_eq!(sample.value.to_f64(), 1.0);
        }
    }
}

#[tokio::test]
async fn names_and_labels_with_every_character() {
    let (_temp, mut config) = broken("v2");
    let odd: String = (1..0x300).filter_map(char::from_u32).collect();
    let label = "odd/label with.all-kinds é";
    config.labels = vec![label.to_owned()];
    let found = cgroups(&config).into_iter().find(|path| path.to_string_lossy().contains("docker-")).unwrap();
    let name = found.file_name().unwrap().to_string_lossy().into_owned();
    let id = name.trim_start_matches("docker-").trim_end_matches(".scope").to_owned();
    let text = serde_json::to_string(&odd).unwrap();
    let inspected = format!(
        r#"{{"Id":"{id}","Name":{text},"State":{{"Running":true}},"Config":{{"Image":{text},"Labels":{{"{label}":{text}}}}}}}"#
    );
    let list = format!(r#"[{{"Id":"{id}"}},{{"Id":"../../x"}},{{"Id":""}}]"#);
    let socket = Socket::new(move |path| match path {
        "/version" => Answer::Whole(200, "{}".into()),
        "/containers/json?all=1" => Answer::Whole(200, list.clone()),
        path if path.starts_with("/events") => Answer::Whole(200, String::new()),
        path if path.contains("..") => panic!("{path} was asked for"),
        _ => Answer::Whole(200, inspected.clone()),
    });
    let kept = Kept::of(socket.address());
    assert_eq!(kept.connected().await.containers.len(), 1);
    let mut subject = subject(&config, &kept.inventory, &Clock::manual(0), "usage");
    let (collected, result) = run(&mut subject, &mut Out::default());
    result.unwrap();
    let page = String::from_utf8(page(&collected, Format::Prometheus)).unwrap();
    assert!(page.contains("container_label_odd_label_with_all_kinds__=\""), "{page}");
    assert!(
        page.lines()
            .all(|line| line.starts_with('#') || line.rsplit_once(' ').unwrap().1.parse::<f64>().is_ok())
    );
}
