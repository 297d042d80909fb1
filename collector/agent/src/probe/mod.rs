//! The exporter `probe`: every configured probe as a subject with an identity of its own; and `/probe`.

pub mod endpoint;
mod refuse;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use taffrail_core::subject::Collecting;
use taffrail_core::{Clock, Collect, CollectError, Exporter, Out, Subject, Target};
use taffrail_probe::{Context, run};

use crate::config::{Probe, Probes};

pub use endpoint::Endpoint;

/// What a probe needs beyond the time that it may take, to say that its time was up.
const SLACK: Duration = Duration::from_secs(1);

/// The exporter of these probes. `host` is this machine's name: what is on its disks is nobody else's.
pub fn exporter(probes: &Probes, host: &str, clock: &Clock) -> Exporter {
    let cx = Context::new(clock.clone());
    let subjects = probes.list.iter().map(|probe| subject(probe, host, &cx)).collect();
    Exporter { name: "probe", job: probes.job.clone(), subjects, duration: None, success: None }
}

fn subject(probe: &Probe, host: &str, cx: &Context) -> Subject {
    let prober = Configured { probe: Arc::new(probe.clone()), cx: cx.within(probe.timeout) };
    let mut subject = Subject::asynchronous(probe.name.clone(), taffrail_probe::metrics(), prober);
    subject.interval = Some(probe.interval);
    subject.budget = probe.timeout + SLACK;
    subject.of(target(probe, host))
}

/// Who its series are: what is probed; of what is on this machine's disks, this machine, and the path beside.
fn target(probe: &Probe, host: &str) -> Target {
    let mut labels: BTreeMap<String, String> = probe.labels.clone();
    let instance = match probe.module.is_local(&probe.target) {
        true => {
            labels.insert("target".to_owned(), probe.target.clone());
            host.to_owned()
        }
        false => probe.target.clone(),
    };
    Target { instance, labels }
}

/// A configured probe.
struct Configured {
    probe: Arc<Probe>,
    cx: Context,
}

impl Collect for Configured {
    fn collect<'a>(&'a mut self, out: &'a mut Out) -> Collecting<'a> {
        Box::pin(async move {
            let verdict = run(&self.probe.module, &self.probe.target, &self.cx, out).await;
            // What was measured stands in `out` either way; that it failed is said once in the log, and on the page.
            match verdict.failure {
                None => Ok(()),
                Some(failure) => Err(CollectError::Other(failure.to_string())),
            }
        })
    }
}
