//! The double of Loki as a program, so that it can stand in a container where Loki would.
//!
//! `loki-double [--listen ADDRESS]` serves until it is killed (default `127.0.0.1:3100`);
//! `loki-double --health PORT` exits 0 when one is ready on this machine.
#![allow(clippy::print_stdout, reason = "a program's own messages")]

use anyhow::{Result, bail};
use taffrail_tests::loki::Limits;
use taffrail_tests::{Client, LokiDouble};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => serve("127.0.0.1:3100"),
        ["--listen", address] => serve(address),
        ["--health", port] => Client::new(port.parse()?).get_ok("/ready").map(drop),
        _ => bail!("usage: loki-double [--listen ADDRESS | --health PORT]"),
    }
}

fn serve(address: &str) -> Result<()> {
    let loki = LokiDouble::listen(address, Limits::default())?;
    println!("a double of Loki listens on {address}, port {}", loki.port());
    loop {
        std::thread::park();
    }
}
