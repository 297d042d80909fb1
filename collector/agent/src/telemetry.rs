//! The collector's own log, to standard error, and the hook that counts contained panics.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::OwnLog;
use crate::own::count_panic;

/// Changes the level of a running log.
#[derive(Clone, Debug)]
pub struct Levels(reload::Handle<EnvFilter, tracing_subscriber::Registry>);

impl Levels {
    /// Takes the levels of `config`. Text or JSON is chosen once, at the start.
    pub fn set(&self, config: &OwnLog) -> Result<(), ParseError> {
        let filter = filter(&config.level)?;
        // Fails only when the subscriber is gone, and with it all logging.
        let _ = self.0.reload(filter);
        Ok(())
    }
}

/// What is logged. The client of object stores tells of each attempt; what comes of them is said by who asked it.
fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    match level.contains("object_store") {
        true => EnvFilter::try_new(level),
        false => EnvFilter::try_new(format!("object_store=warn,{level}")),
    }
}

/// Starts logging as `config` says. Once a process.
pub fn start(config: &OwnLog) -> Result<Levels, ParseError> {
    let (filter, handle) = reload::Layer::new(filter(&config.level)?);
    let registry = tracing_subscriber::registry().with(filter);
    let writer = std::io::stderr;
    let started = if config.json {
        registry
            .with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(writer))
            .try_init()
    } else {
        let colour = std::io::stderr().is_terminal();
        let layer = tracing_subscriber::fmt::layer().with_ansi(colour).with_target(false).with_writer(writer);
        registry.with(layer).try_init()
    };
    // A second start, in tests, leaves the first as it is.
    drop(started);
    std::panic::set_hook(Box::new(|panic| {
        count_panic();
        let place = panic.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        let thread = std::thread::current();
        let text = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, thread = thread.name(), "a part of the collector panicked: {text}");
    }));
    Ok(Levels(handle))
}
