//! Freshness of objects, in a store of this process that lists and reads as S3 does.

use std::time::Duration;

use taffrail_core::Clock;
use taffrail_probe::freshness::{Restore, Settings, store::Access};
use taffrail_probe::{Context, Module, Prober, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::kit::probe_in;
use crate::kit::server::serve;

/// 2026-01-02T00:00:00Z
const NOW: i64 = 1_767_312_000;

const LISTING: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult><Name>backups</Name><Prefix>db/</Prefix><KeyCount>3</KeyCount><IsTruncated>false</IsTruncated>
<Contents><Key>db/1.dump</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"a"</ETag><Size>100</Size></Contents>
<Contents><Key>db/2.dump</Key><LastModified>2026-01-01T22:00:00.000Z</LastModified><ETag>"b"</ETag><Size>200</Size></Contents>
<Contents><Key>db/2.part</Key><LastModified>2026-01-01T23:00:00.000Z</LastModified><ETag>"c"</ETag><Size>5</Size></Contents>
</ListBucketResult>"#;

/// What the store answers to a request's head.
fn answer(head: &str) -> String {
    let answer = |status: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nlast-modified: Wed, 31 Dec 2025 00:00:00 GMT\r\n\
             etag: \"e\"\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let signed = head.to_ascii_lowercase().contains("authorization: aws4-hmac-sha256 credential=ada/");
    let line = head.lines().next().unwrap_or_default();
    if !signed {
        return answer("403 Forbidden", "<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
    }
    if line.starts_with("GET /backups?") && line.contains("prefix=db") {
        return answer("200 OK", LISTING);
    }
    if line.contains("/backups/verified ") {
        return answer("200 OK", "2026-01-01T12:00:00Z\n");
    }
    answer("404 Not Found", "<Error><Code>NoSuchKey</Code><Message>no</Message></Error>")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_watched() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let server = serve(|mut stream| async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut text = answer(&head);
        if head.starts_with("HEAD") {
            text.truncate(text.find("\r\n\r\n").unwrap() + 4);
        }
        let _ = stream.write_all(text.as_bytes()).await;
    })
    .await;
    let cx = Context::new(Clock::manual(NOW * 1_000_000_000));
    let module = |key: &str, marker: &str| {
        let mut access = Access::default();
        access.endpoint = Some(format!("http://{}", server.at));
        access.key = Some((key.to_owned(), Secret::new("hunter2")));
        let settings = Settings {
            max_age: Some(Duration::from_secs(3 * 3600)),
            restore: Some(Restore { marker: marker.into(), max_age: None }),
            store: Some(access),
            ..Settings::default()
        };
        Module { prober: Prober::Freshness(Box::new(settings)), timeout: Some(Duration::from_secs(10)) }
    };

    let (verdict, samples) = probe_in(&cx, &module("ada", "verified"), "s3://backups/db/*.dump").await;
    assert!(verdict.success(), "{}", verdict.trail.text());
    assert_eq!(samples["probe_freshness_matches"], 2.0);
    assert_eq!(samples["probe_freshness_all_bytes"], 300.0);
    assert_eq!(samples["probe_freshness_newest_bytes"], 200.0);
    assert_eq!(samples["probe_freshness_newest_age_seconds"], 7200.0);
    assert_eq!(samples["probe_freshness_restore_verified_age_seconds"], 43_200.0);

    let failure = probe_in(&cx, &module("ada", "nothing"), "s3://backups/db/").await.0.failure.unwrap();
    assert_eq!(failure.to_string(), "no restore was ever verified: there is no nothing");

    let (verdict, _) = probe_in(&cx, &module("eve", "verified"), "s3://backups/db/").await;
    let text = format!("{} {}", verdict.failure.unwrap(), verdict.trail.text());
    assert!(text.contains("403") || text.contains("denied") || text.contains("Forbidden"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}
