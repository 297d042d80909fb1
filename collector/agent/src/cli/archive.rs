//! `taffrail archive list | cat`: reads an archive back, wherever it is.

use std::io::{self, BufRead, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use taffrail_archive::{HOUR_MS, Line, Name, Slot, Store, decode, rfc3339, segment};
use taffrail_core::Clock;

use super::spool::selector::Selector;
use super::spool::time;
use super::{ConfigOptions, print, refuse};
use crate::config::{ArchiveOutput, Config};

const DAY_MS: i64 = 24 * HOUR_MS;

/// `taffrail archive`
#[derive(Args, Debug)]
pub struct Archive {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Name the objects of some hours
    List(Which),
    /// Print the entries of some time
    Cat(Cat),
}

/// Which objects.
#[derive(Args, Debug)]
struct Which {
    #[command(flatten)]
    config: ConfigOptions,
    /// The archive of this name; by default the first in the configuration
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// From this time on: 2026-01-31T12:00:00Z, seconds since 1970, or how long ago, 90m
    #[arg(long, value_name = "TIME", value_parser = time::read, default_value = "1h")]
    from: i64,
    /// Up to this time; by default now
    #[arg(long, value_name = "TIME", value_parser = time::read)]
    to: Option<i64>,
    /// Only this service (repeatable)
    #[arg(long, value_name = "SERVICE")]
    service: Vec<String>,
}

#[derive(Args, Debug)]
struct Cat {
    #[command(flatten)]
    which: Which,
    /// Only these streams: '{job=~"a.*"}'
    #[arg(long = "match", value_name = "SELECTOR", value_parser = Selector::read)]
    selector: Option<Selector>,
    /// Only lines that have this text in them
    #[arg(long, value_name = "TEXT")]
    contains: Option<String>,
    /// How to print them
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// As they stand in the archive: a JSON object a line
    Json,
    /// The time and the line
    Text,
}

impl Archive {
    pub(super) fn answer(&self) -> anyhow::Result<ExitCode> {
        let which = match &self.what {
            What::List(which) => which,
            What::Cat(cat) => &cat.which,
        };
        let config = match which.config.load() {
            Ok(config) => config,
            Err(errors) => return Ok(refuse(&errors)),
        };
        let store = which.archive(&config)?.store()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let printed = runtime.block_on(self.print(which, &store, &mut out));
        match printed.and_then(|()| Ok(out.flush()?)) {
            // A reader that has seen enough (`| head`).
            Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
            printed => printed.map(|()| ExitCode::SUCCESS),
        }
    }

    async fn print(&self, which: &Which, store: &Store, out: &mut impl Write) -> anyhow::Result<()> {
        let (from, to) = which.span();
        let keys = which.keys(store, from, to).await?;
        if keys.is_empty() {
            print::err(
                "no objects are there of that time: entries are stored minutes after they come, and times are UTC",
            );
        }
        for key in keys {
            match &self.what {
                What::List(_) => writeln!(out, "{key}")?,
                What::Cat(cat) => {
                    let object = store.read(&key).await?;
                    cat.object(&object, from, to, out).with_context(|| format!("in {key}"))?;
                }
            }
        }
        Ok(())
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

impl Which {
    fn archive<'c>(&self, config: &'c Config) -> anyhow::Result<&'c ArchiveOutput> {
        let all = &config.archives;
        let found = match &self.name {
            Some(name) => all.iter().find(|archive| archive.name == *name),
            None => all.first(),
        };
        found.with_context(|| {
            let names: Vec<&str> = all.iter().map(|archive| archive.name.as_str()).collect();
            match names.as_slice() {
                [] => "the configuration has no archive: name it with --config".to_owned(),
                names => {
                    format!("the configuration has no archive of that name; it has: {}", names.join(", "))
                }
            }
        })
    }

    /// From and to, in milliseconds.
    fn span(&self) -> (i64, i64) {
        (self.from, self.to.unwrap_or_else(|| Clock::system().now_ms()))
    }

    /// The objects of the hours between, by hour, service and name.
    async fn keys(&self, store: &Store, from: i64, to: i64) -> anyhow::Result<Vec<String>> {
        let services: Vec<String> = self.service.iter().map(|service| segment(service)).collect();
        let mut keys = Vec::new();
        for day in from.div_euclid(DAY_MS)..=to.div_euclid(DAY_MS) {
            let slot = Slot { hour: day * 24, service: String::new() };
            let folder = slot.folder();
            let date = folder.split('/').next().unwrap_or_default();
            for key in store.list(date).await? {
                let Some(Name { slot, .. }) = Name::parse(&key) else { continue };
                let hours = from.div_euclid(HOUR_MS)..=to.div_euclid(HOUR_MS);
                if hours.contains(&slot.hour) && (services.is_empty() || services.contains(&slot.service)) {
                    keys.push(key);
                }
            }
        }
        Ok(keys)
    }
}

impl Cat {
    /// Prints the entries of one object that are asked for.
    fn object(&self, object: &[u8], from: i64, to: i64, out: &mut impl Write) -> anyhow::Result<()> {
        let [from, to] = [from, to].map(|ms| rfc3339(ms.saturating_mul(1_000_000)));
        for text in decode(object)?.lines() {
            let text = text.context("the object is damaged")?;
            let line: Line<'_> = serde_json::from_str(&text).context("a line is no entry")?;
            // Texts of times sort as times do.
            let wanted = (from.as_str()..=to.as_str()).contains(&line.ts)
                && self.contains.as_ref().is_none_or(|part| line.line.contains(part))
                && self.selector.as_ref().is_none_or(|selector| {
                    selector.matches(|name| line.labels.get(name).and_then(serde_json::Value::as_str))
                });
            match self.format {
                _ if !wanted => {}
                Format::Json => writeln!(out, "{text}")?,
                Format::Text => writeln!(out, "{} {}", line.ts, line.line)?,
            }
        }
        Ok(())
    }
}
