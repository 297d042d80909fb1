//! Each subject on each layout writes the committed page.

use std::path::{Path, PathBuf};

use taffrail_container::ContainerConfig;
use taffrail_core::golden::{compare, page_with};
use taffrail_core::{Clock, Out};

use crate::socket::{Socket, committed};
use crate::{Kept, subject};

/// 2026-11-21 01:42:06.5 UTC, a winter's night.
const NOW_NS: i64 = 1_795_225_326_500_000_000;

fn config(case: &str, full: bool) -> ContainerConfig {
    let case = Path::new("fixtures").join(case);
    let mut config = ContainerConfig {
        procfs: case.join("proc"),
        sysfs: case.join("sys"),
        rootfs: case.join("root"),
        full,
        ..ContainerConfig::default()
    };
    if full {
        config.labels.push("team".to_owned());
    }
    config
}

/// The subject's page against the committed one.
async fn check(kept: &Kept, case: &str, full: bool, name: &'static str) -> Option<String> {
    let config = config(case, full);
    let inventory = kept.inventory.clone();
    let page = tokio::task::spawn_blocking(move || {
        let mut subject = subject(&config, &inventory, &Clock::manual(NOW_NS), name);
        // In the first run, who is not known to the engine waits for its name.
        crate::run(&mut subject, &mut Out::default()).1.unwrap();
        page_with(&mut subject, &config.more_labels()).unwrap()
    });
    let page = page.await.unwrap();
    let file = if full { format!("{name}-full") } else { name.to_owned() };
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(case);
    std::fs::create_dir_all(&golden).unwrap();
    compare(&page, &golden.join(file).with_extension("prom")).err()
}

#[tokio::test]
async fn every_layout() {
    let socket = Socket::new(committed);
    let kept = Kept::of(socket.address());
    kept.connected().await;
    let mut wrong = Vec::new();
    for case in ["v2", "v1", "hybrid"] {
        for (full, name) in [(false, "usage"), (true, "usage"), (false, "machine"), (true, "machine")] {
            wrong.extend(check(&kept, case, full, name).await);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test]
async fn what_has_happened() {
    let socket = Socket::new(committed);
    let kept = Kept::of(socket.address());
    let state = kept.connected().await;
    let web = state.containers.values().find(|container| container.name == "shop-web-1").unwrap();
    for action in ["start", "oom", "die", "start", "health_status: unhealthy"] {
        let line = format!(
            "{{\"Type\":\"container\",\"Action\":\"{action}\",\"Actor\":{{\"ID\":\"{}\"}}}}\n",
            web.id
        );
        socket.events.send(line).unwrap();
    }
    kept.wait("all events are counted", |state| {
        state.counts.all().iter().any(|(_, event, _)| *event == "health")
    })
    .await;
    assert_eq!(check(&kept, "v2", false, "engine").await, None);
}

/// At most 45 series a container, but for those with several networks or disks.
#[tokio::test]
async fn a_container_has_few_series() {
    let socket = Socket::new(committed);
    let kept = Kept::of(socket.address());
    kept.connected().await;
    let inventory = kept.inventory.clone();
    let collected = tokio::task::spawn_blocking(move || {
        let mut subject = subject(&config("v2", false), &inventory, &Clock::manual(NOW_NS), "usage");
        crate::run(&mut subject, &mut Out::default()).0
    });
    let collected = collected.await.unwrap();
    let of = |name: &str| {
        let named = |def: &&(_, taffrail_core::SeriesDef)| {
            def.1.labels.iter().any(|(n, v)| n == "name" && &**v == name)
        };
        collected.new.iter().filter(named).count()
    };
    // Four of the subject `disk`, and one event, are not among them.
    let web = of("shop-web-1");
    assert!((30..=40).contains(&web), "{web}");
}
