//! The floor of shipping logs: the least any program must do with a file of Docker's. It reads the file, finds the text and
//! the time in each record, undoes the escapes, encodes a push request, compresses and posts. It trusts every byte, and
//! knows no rotation, no position, no stage, no retry and no restart: `taffrail-bench logs-floor FILE SINK`.

use std::fs::File;
use std::io::Read;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use taffrail_wire::loki::{Batch, CONTENT_TYPE, PUSH_PATH};

use crate::program::Client;

/// How much is read at a time, and the size of a request before compression.
const PIECE: usize = 256 << 10;

/// Reads to the end, then waits to be killed.
pub fn run(arguments: &[String]) -> Result<()> {
    let [file, sink] = arguments else { anyhow::bail!("logs-floor: wants a file and a receiver") };
    let mut file = File::open(file)?;
    let mut sink = Client { address: sink.parse()?, connection: None };
    let (mut batch, mut text) = (Batch::new(), String::new());
    let (mut buffer, mut held) = (vec![0; PIECE], 0);
    loop {
        let read = file.read(&mut buffer[held..])?;
        if read == 0 {
            break;
        }
        let end = held + read;
        let whole = memchr::memrchr(b'\n', &buffer[..end]).map_or(0, |at| at + 1);
        batch.stream("{filename=\"bench\",job=\"bench\",stream=\"stdout\"}");
        let mut rest = std::str::from_utf8(&buffer[..whole])?;
        while let Some(at) = memchr::memchr(b'\n', rest.as_bytes()) {
            let (ns, line) = decode(&rest[..at], &mut text).context("a record of another form")?;
            batch.entry(ns, line, []);
            rest = &rest[at + 1..];
        }
        post(&mut sink, &mut batch)?;
        buffer.copy_within(whole..end, 0);
        held = end - whole;
    }
    loop {
        sleep(Duration::from_secs(60));
    }
}

/// The time and the text of a record whose members stand as Docker writes them.
fn decode<'a>(record: &'a str, text: &'a mut String) -> Option<(i64, &'a str)> {
    let rest = record.strip_prefix("{\"log\":\"")?;
    let (rest, time) = rest.split_at_checked(rest.len().checked_sub(32)?)?;
    let log = rest.strip_suffix("\\n\",\"stream\":\"stdout\",\"time\":\"")?;
    let time: &[u8; 29] = time.as_bytes().first_chunk()?;
    let digits = |from: usize, to: usize| {
        time[from..to].iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
    };
    // Days since 1970 of a date, in years that begin in March.
    let (month, year) = (digits(5, 7), digits(0, 4));
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + digits(8, 10) - 719_469;
    let seconds = days * 86_400 + digits(11, 13) * 3600 + digits(14, 16) * 60 + digits(17, 19);
    let ns = seconds * 1_000_000_000 + digits(20, 29);
    if memchr::memchr(b'\\', log.as_bytes()).is_none() {
        return Some((ns, log));
    }
    text.clear();
    let mut rest = log;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        // Of the escapes there are, only those that stand for themselves.
        text.push(char::from(*rest.as_bytes().get(at + 1)?));
        rest = rest.get(at + 2..)?;
    }
    text.push_str(rest);
    Some((ns, text))
}

fn post(sink: &mut Client, batch: &mut Batch) -> Result<()> {
    let body = batch.compressed()?;
    let head = format!(
        "POST {PUSH_PATH} HTTP/1.1\r\nHost: sink\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = sink.post(head.as_bytes(), body)?;
    ensure!(answer.starts_with("HTTP/1.1 204"), "the receiver answered {answer:?}");
    batch.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_lines::{Kind, Log};

    #[test]
    fn it_reads_what_the_log_holds() {
        const END_NS: i64 = 1_763_692_400_000_000_000;
        for (kind, line) in
            [(Kind::Text, "INFO request handled"), (Kind::Json, "{\"level\":\"info\",\"msg\":\"req")]
        {
            let mut record = String::new();
            Log::new(kind, 1, END_NS).record(&mut record);
            let mut text = String::new();
            let (ns, got) = decode(record.trim_end(), &mut text).unwrap();
            assert_eq!(ns, END_NS - 3_600_000_000_000);
            assert!(got.starts_with(line) && !got.contains('\\'), "{got}");
        }
    }
}
