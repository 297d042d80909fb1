//! Subjects: the unit of scheduling, timing, budget and success; and exporters, which hold them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use crate::metric::{Family, Metric};
use crate::out::Out;

/// Why a subject has no values, or not all.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The machine does not have the thing: silence, neither an error nor a zero.
    #[error("not on this machine")]
    Absent,
    /// A file could not be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A file does not read as its documentation says.
    #[error("{path}: {what}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        what: String,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// A collection under way.
pub type Collecting<'a> = Pin<Box<dyn Future<Output = Result<(), CollectError>> + Send + 'a>>;

/// An asynchronous collection: it gets a deadline, and is never dropped while it runs.
pub trait Collect: Send {
    /// Writes this run's values.
    fn collect<'a>(&'a mut self, out: &'a mut Out) -> Collecting<'a>;
}

/// A collection on a thread that may block.
pub type Blocking = Box<dyn FnMut(&mut Out) -> Result<(), CollectError> + Send>;

/// How a subject runs.
pub enum Run {
    /// On a thread that may block: procfs, sysfs, statfs.
    Blocking(Blocking),
    /// On the runtime.
    Async(Box<dyn Collect>),
}

/// What a subject looks at, where that is not what the job's `instance` names: the address that a probe asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Target {
    /// The `instance` label of its series, in place of the job's.
    pub instance: String,
    /// Labels of its series, before those of the job and behind those that a sample has itself.
    pub labels: BTreeMap<String, String>,
}

/// One subject: `cpu`, `filesystem`, `stat_database`, or one probe.
pub struct Subject {
    /// Its name: the `collector` label of its success and duration. Unique within its exporter.
    pub name: Cow<'static, str>,
    /// What it looks at, when it has an identity of its own. Such subjects start spread over their interval, not
    /// together, and their labels stand on the pull page too.
    pub target: Option<Target>,
    /// What it may publish.
    pub metrics: &'static [&'static Metric],
    /// How often, when not as often as its exporter.
    pub interval: Option<Duration>,
    /// How long a run may take before the rest goes on without it.
    pub budget: Duration,
    /// How it runs.
    pub run: Run,
}

impl Subject {
    /// A subject that blocks, run at its exporter's interval with [`DEFAULT_BUDGET`].
    pub fn blocking(
        name: impl Into<Cow<'static, str>>,
        metrics: &'static [&'static Metric],
        run: impl FnMut(&mut Out) -> Result<(), CollectError> + Send + 'static,
    ) -> Self {
        Self::new(name, metrics, Run::Blocking(Box::new(run)))
    }

    /// A subject that runs on the runtime, at its exporter's interval with [`DEFAULT_BUDGET`].
    pub fn asynchronous(
        name: impl Into<Cow<'static, str>>,
        metrics: &'static [&'static Metric],
        collect: impl Collect + 'static,
    ) -> Self {
        Self::new(name, metrics, Run::Async(Box::new(collect)))
    }

    /// The same, with an identity of its own.
    pub fn of(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    fn new(name: impl Into<Cow<'static, str>>, metrics: &'static [&'static Metric], run: Run) -> Self {
        Subject { name: name.into(), target: None, metrics, interval: None, budget: DEFAULT_BUDGET, run }
    }
}

/// How long a subject may take when nothing else is said.
pub const DEFAULT_BUDGET: Duration = Duration::from_secs(1);

/// A set of subjects with one job: the host, the containers, one Postgres server.
pub struct Exporter {
    /// Its folder's name; the page `/metrics/<name>`.
    pub name: &'static str,
    /// The `job` label of its series.
    pub job: String,
    /// The subjects that are on.
    pub subjects: Vec<Subject>,
    /// Seconds a run of a subject took, labelled with its name. None where subjects publish that themselves.
    pub duration: Option<&'static Family<1>>,
    /// Whether a subject's last run succeeded, labelled with its name. None where subjects publish that themselves.
    pub success: Option<&'static Family<1>>,
}
