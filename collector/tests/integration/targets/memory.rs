//! Many large pages at once: what is held of them is bounded, all come in the end, and small ones never wait.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;
use taffrail_tests::{Receiver, Taffrail, wait_for};

use crate::faults::rig::{Numbered, Pages, Samples, TEXT, gaps, peak};
use crate::support::{SOON, own, status};

/// Targets, the size of their pages, and the room for all of them.
const LARGE: usize = 32;
const MIB: usize = 1 << 20;
/// So many pages begin to come at once.
const TOGETHER: usize = 16;
const PAGE: usize = 8 * MIB;
const ROOM: usize = 32 * MIB;

/// A page of comments with one sample at the end: large on its way, and nothing when it has been read.
fn large() -> Vec<u8> {
    let mut page = format!("# {}\n", "x".repeat(1021)).repeat(PAGE >> 10).into_bytes();
    page.extend_from_slice(b"large 1\n");
    page
}

/// Gives its page when several targets have been asked, so that pages come at once; `/stuck` stops half way.
fn serve() -> Pages {
    let (page, asked) = (large(), AtomicUsize::new(0));
    Pages::serve(move |path, stream: &mut TcpStream| {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {TEXT}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            page.len()
        );
        // Whoever is hung up on has seen enough.
        let _ = stream.write_all(head.as_bytes());
        if path == "/stuck" {
            let _ = stream.write_all(&page[..PAGE / 2]);
            sleep(Duration::from_secs(20));
            return;
        }
        asked.fetch_add(1, Ordering::SeqCst);
        while asked.load(Ordering::SeqCst) < TOGETHER {
            sleep(Duration::from_millis(20));
        }
        for piece in page.chunks(page.len().div_ceil(16)) {
            let _ = stream.write_all(piece);
            sleep(Duration::from_millis(30));
        }
    })
}

fn config(good: &Numbered, pages: &Pages, receiver: &Receiver, path: &str, seconds: u32) -> String {
    let targets: Vec<String> = (0..LARGE)
        .map(|of| {
            format!(
                "{{targets: ['127.0.0.1:{}'], labels: {{of: '{of}', __metrics_path__: {path}}}}}",
                pages.port()
            )
        })
        .collect();
    let job = good.job();
    let (jobs, _) = job.trim_end().rsplit_once(']').unwrap();
    format!(
        "hostname: ship\nself: false\nscrape_memory: {}MiB\noutputs: {{prometheus: [{{url: '{}'}}]}}\n{jobs}, \
         {{job_name: large, scrape_interval: {seconds}s, scrape_timeout: {seconds}s, static_configs: [{}]}}]\n",
        ROOM / MIB,
        receiver.url("/api/v1/write"),
        targets.join(", ")
    )
}

fn large_job(taffrail: &Taffrail) -> anyhow::Result<Value> {
    let status = status(taffrail)?;
    let jobs = status["jobs"].as_array().into_iter().flatten();
    Ok(jobs.into_iter().find(|job| job["name"] == "large").cloned().unwrap_or_default())
}

fn wait_until_up(taffrail: &Taffrail) {
    wait_for("all large targets", Duration::from_secs(60), || {
        let job = large_job(taffrail)?;
        let bad = job["targets"].as_array().into_iter().flatten().find(|target| target["up"] != true);
        ensure!(job["up"] == LARGE, "{} are up, and of one: {bad:?}", job["up"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn many_large_pages_at_once_are_held_within_bounds() {
    let good = Numbered::start(10);
    let (pages, receiver) = (serve(), Receiver::start().unwrap());
    let mut taffrail = Taffrail::start(&config(&good, &pages, &receiver, "/large", 12)).unwrap();
    wait_until_up(&taffrail);
    let job = large_job(&taffrail).unwrap();
    assert_eq!(job["counts"]["failures"], serde_json::json!({}), "each had its turn");
    let room = status(&taffrail).unwrap()["scrape_room"].clone();
    assert!(room["waits"].as_u64().unwrap() > 0, "128 MiB came at once: {room}");
    assert_eq!(own(&taffrail, "taffrail_scrape_memory_bytes"), ROOM as f64);
    let pid = taffrail.process().unwrap().pid();
    let most = peak(pid);
    // What may be held, one page more, its old buffer while it grows, and a program with its debug symbols.
    assert!(most < 120 << 20, "{} MiB at most", most >> 20);

    // Pages that never end take up all of it: large ones fail and say so, small ones do not notice.
    taffrail.configure(&config(&good, &pages, &receiver, "/stuck", 2)).unwrap();
    assert_eq!(taffrail.client().post("/-/reload", &[], &[]).unwrap().status, 200);
    let told = wait_for("a scrape without room", SOON, || {
        let job = large_job(&taffrail)?;
        ensure!(job["counts"]["failures"]["room"].as_u64().unwrap_or_default() > 0, "{}", job["counts"]);
        let errors = job["targets"].as_array().into_iter().flatten();
        let mut errors = errors.filter_map(|target| target["error"]["text"].as_str());
        let told = errors.find(|text| text.contains("no room"));
        ensure!(told.is_some(), "nobody says so now");
        Ok(told.unwrap().to_owned())
    })
    .unwrap();
    assert!(told.contains("`scrape_memory` (33554432 bytes)"), "{told}");
    wait_for("scrapes that wait", SOON, || {
        ensure!(own(&taffrail, "taffrail_scrape_waiting") > 0.0, "none waits");
        Ok(())
    })
    .unwrap();

    // When they are gone, so is all that they held.
    taffrail.configure(&config(&good, &pages, &receiver, "/large", 8)).unwrap();
    assert_eq!(taffrail.client().post("/-/reload", &[], &[]).unwrap().status, 200);
    wait_until_up(&taffrail);
    let most = peak(pid);
    assert!(most < 120 << 20, "{} MiB at most", most >> 20);
    let alone = format!(
        "hostname: ship\nself: false\noutputs: {{prometheus: [{{url: '{}'}}]}}\n{}",
        receiver.url("/api/v1/write"),
        good.job()
    );
    taffrail.configure(&alone).unwrap();
    assert_eq!(taffrail.client().post("/-/reload", &[], &[]).unwrap().status, 200);
    wait_for("nothing held", SOON, || {
        let room = status(&taffrail)?["scrape_room"].clone();
        ensure!(room["held_bytes"] == 0 && room["waiting"] == 0 && room["max_bytes"] == 256 * MIB, "{room}");
        Ok(())
    })
    .unwrap();
    let last = good.served();
    wait_for("the last number", SOON, || {
        ensure!(Samples::accepted(&receiver.received()).numbers().contains(&last));
        Ok(())
    })
    .unwrap();
    taffrail.terminate(SOON).unwrap();
    let came = Samples::accepted(&receiver.received());
    assert_eq!(gaps(&came.numbers()), Vec::<u64>::new(), "the small target was asked on time, every time");
    let small = came.0.iter().find(|(name, _)| name.contains("numbered_total")).unwrap().1;
    let times: Vec<i64> = small.keys().copied().collect();
    let widest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(widest < 1500, "one came {widest} ms after the one before");
}
