//! What probes share, whatever their module and target.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use taffrail_core::Clock;

use crate::resolve::Resolver;
use crate::threads::Threads;
use crate::tls::SystemRoots;

/// Says why an address must not be probed; `Ok` when it may be. Asked for every address, after names are resolved and
/// after each redirect, right before a connection is made to that very address.
pub type Guard = Arc<dyn Fn(IpAddr) -> Result<(), String> + Send + Sync>;

/// What probes share. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The time.
    pub clock: Clock,
    /// Looks names up.
    pub resolver: Resolver,
    /// Threads that look at files, whose file systems may hang.
    pub files: Threads,
    /// The authorities trusted where the module names none.
    pub roots: SystemRoots,
    /// The address that connections are made from, where the module names none.
    pub source: Option<IpAddr>,
    /// Which addresses may be probed; all, without one.
    pub guard: Option<Guard>,
    /// The longest a probe may take, whatever its module says.
    pub limit: Duration,
}

/// How long a probe may take when nothing says otherwise.
const LIMIT: Duration = Duration::from_secs(10);
/// The most threads that look at files at once.
const FILES: usize = 8;

impl Context {
    /// The machine's resolver, any source address, every target allowed, ten seconds a probe.
    pub fn new(clock: Clock) -> Self {
        Context {
            clock,
            resolver: Resolver::default(),
            files: Threads::new(FILES),
            roots: SystemRoots::default(),
            source: None,
            guard: None,
            limit: LIMIT,
        }
    }

    /// The same, with another limit: what a scraper waits.
    pub fn within(&self, limit: Duration) -> Self {
        Context { limit, ..self.clone() }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("resolver", &self.resolver)
            .field("source", &self.source)
            .field("guarded", &self.guard.is_some())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
