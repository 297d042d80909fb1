//! A target of many series, in a process of its own: `taffrail-bench pages ADDRESS SERIES same|changing plain|gzip`.
//!
//! Until `/begin` is asked for, and after `/end`, its page is empty, so that programs can be measured without series. `/served` says how
//! many pages with series it has given. The next page is made while nobody waits for it.

use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::http::{self, Request, Response};
use crate::series::Series;

struct Pages {
    begun: AtomicBool,
    served: AtomicU64,
    gzip: bool,
    next: Mutex<Receiver<Arc<Vec<u8>>>>,
}

/// Serves until it is killed.
pub fn run(arguments: &[String]) -> Result<()> {
    let [address, series, values, encoding] = arguments else {
        bail!("pages: wants an address, a number of series, same or changing, plain or gzip");
    };
    let gzip = encoding == "gzip";
    let changing = values == "changing";
    let series = series.parse().context("pages: the number of series")?;
    let (made, next) = sync_channel(0);
    thread::spawn(move || {
        let mut series = Series::new(series, changing);
        let mut text = String::new();
        loop {
            series.page(&mut text);
            let page = Arc::new(if gzip { packed(&text) } else { text.clone().into_bytes() });
            // Where nothing changes, the first page is the page.
            while made.send(Arc::clone(&page)).is_ok() && !changing {}
        }
    });
    let pages =
        Pages { begun: AtomicBool::new(false), served: AtomicU64::new(0), gzip, next: Mutex::new(next) };
    http::serve(&TcpListener::bind(address)?, move |request| pages.answer(request));
    Ok(())
}

impl Pages {
    fn answer(&self, request: &Request) -> Response {
        match request.path.as_str() {
            "/begin" => self.begun.store(true, Ordering::Relaxed),
            "/end" => self.begun.store(false, Ordering::Relaxed),
            "/served" => return Response::text(self.served.load(Ordering::Relaxed).to_string()),
            "/metrics" => return self.page(request),
            _ => return Response::empty("404 Not Found"),
        }
        Response::text(String::new())
    }

    fn page(&self, request: &Request) -> Response {
        let mut head = "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n".to_owned();
        if !self.begun.load(Ordering::Relaxed) {
            return Response { status: "200 OK", head, body: Arc::default() };
        }
        if self.gzip {
            if !request.header("accept-encoding").is_some_and(|encodings| encodings.contains("gzip")) {
                return Response::empty("406 Not Acceptable");
            }
            head.push_str("Content-Encoding: gzip\r\n");
        }
        let Some(body) = self.next.lock().ok().and_then(|next| next.recv().ok()) else {
            return Response::empty("500 Internal Server Error");
        };
        self.served.fetch_add(1, Ordering::Relaxed);
        Response { status: "200 OK", head, body }
    }
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(5));
    // Writing to memory cannot fail.
    let _ = encoder.write_all(text.as_bytes());
    encoder.finish().unwrap_or_default()
}
