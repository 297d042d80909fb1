//! Outputs start: each with a cursor of its own, and one more for each tenant of a Loki.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use taffrail_spool::{Log, Start};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::Shared;
use super::part::Part;
use crate::component::Key;
use crate::config::LokiOutput;
use crate::contain::keep_running;
use crate::logs::Notes;
use crate::outputs::{
    ClientError, Delivery, Loki, LokiContext, Mine, Reads, StartTenant, check_tenant, dead, deliver,
};
use crate::status::{OutputStatus, lock};

/// The header that names a tenant.
const TENANT: &str = "X-Scope-OrgID";

/// Starts an output of metrics.
pub(super) fn start_output<D: Delivery>(
    shared: &Shared,
    key: &Key,
    url: &http::Uri,
    output: impl Fn() -> Result<D, ClientError> + Send + 'static,
) -> anyhow::Result<Part> {
    let leave = CancellationToken::new();
    let logs = (vec![shared.metrics.clone()], Start::Newest);
    let task = run(shared, key, url, logs, output, leave.clone())?;
    Ok(Part::Output { leave, task: tokio::spawn(task) })
}

/// Starts a Loki output, and those of its tenants that have a cursor.
pub(super) fn start_loki(
    shared: &Shared,
    notes: &Notes,
    key: &Key,
    config: &LokiOutput,
) -> anyhow::Result<Part> {
    let leave = CancellationToken::new();
    let context = LokiContext {
        clock: shared.clock.clone(),
        notes: notes.clone(),
        dead: shared.state.join(dead::FOLDER),
    };
    let tenants = Arc::new(Tenants {
        shared: shared.clone(),
        context: context.clone(),
        key: key.clone(),
        config: config.clone(),
        leave: leave.clone(),
        tasks: Mutex::default(),
    });
    let mut mine = Mine::All;
    if config.tenant_label.is_some() {
        tenants.resume();
        let starts = tenants.clone();
        let start: StartTenant = Arc::new(move |tenant| starts.start(tenant));
        mine = Mine::Nobodys(start);
    }
    let (made, logs) = (config.clone(), (shared.logs.both().to_vec(), Start::Newest));
    let output = move || Loki::new(&made, context.clone(), mine.clone());
    let main = run(shared, key, &config.receiver.url, logs, output, leave.clone())?;
    let task = tokio::spawn(async move {
        main.await;
        tenants.end().await;
    });
    Ok(Part::Output { leave, task })
}

/// What sends for the tenants of one output.
struct Tenants {
    shared: Shared,
    context: LokiContext,
    key: Key,
    config: LokiOutput,
    leave: CancellationToken,
    tasks: Mutex<BTreeMap<String, (Key, JoinHandle<()>)>>,
}

impl Tenants {
    /// Starts those that were there before, and may have a backlog.
    fn resume(&self) {
        let before = Key::new(self.key.kind, format!("{}@", self.key.name)).to_string();
        for cursor in self.shared.logs.both().iter().flat_map(|log| log.stats().cursors) {
            let Some(tenant) = cursor.name.strip_prefix(&before).filter(|tenant| !tenant.contains('#'))
            else {
                continue;
            };
            if let Err(problem) = self.start(tenant) {
                error!(output = %self.key, tenant, problem, "what waits for a tenant is not sent");
            }
        }
    }

    fn start(&self, tenant: &str) -> Result<(), String> {
        let mut tasks = lock(&self.tasks);
        if tasks.contains_key(tenant) {
            return Ok(());
        }
        check_tenant(tenant)?;
        let most = self.config.max_tenants;
        if tasks.len() >= most {
            return Err(format!(
                "there are {most} tenants already (`max_tenants`): not one more for {tenant}"
            ));
        }
        let key = Key::new(self.key.kind, format!("{}@{tenant}", self.key.name));
        let mut config = self.config.clone();
        config.receiver.headers.retain(|name, _| !name.eq_ignore_ascii_case(TENANT));
        config.receiver.headers.insert(TENANT.to_owned(), tenant.to_owned());
        config.tenant = Some(tenant.to_owned());
        let (context, mine) = (self.context.clone(), Mine::Tenant(tenant.to_owned()));
        let output = move || Loki::new(&config, context.clone(), mine.clone());
        // Nothing of a new tenant is older than the record in which it was met, which is still there; nor in the other
        // log than what is still to be read.
        let logs = (self.shared.logs.both().to_vec(), Start::Oldest);
        let url = &self.config.receiver.url;
        let task =
            run(&self.shared, &key, url, logs, output, self.leave.clone()).map_err(|e| format!("{e:#}"))?;
        info!(output = %self.key, tenant, "sends for a tenant");
        tasks.insert(tenant.to_owned(), (key, tokio::spawn(task)));
        Ok(())
    }

    /// Waits until all of them have ended.
    async fn end(&self) {
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        for (key, task) in tasks.into_values() {
            let _ = task.await;
            self.shared.board.remove(&key);
        }
    }
}

/// Runs an output until its logs are closed and empty, or until `leave`.
fn run<D: Delivery, F: Fn() -> Result<D, ClientError> + Send + 'static>(
    shared: &Shared,
    key: &Key,
    url: &http::Uri,
    (logs, from): (Vec<Arc<dyn Log>>, Start),
    output: F,
    leave: CancellationToken,
) -> anyhow::Result<impl Future<Output = ()> + Send + use<D, F>> {
    let host = url.authority().map_or("", |authority| authority.as_str());
    let url = format!("{}://{host}{}", url.scheme_str().unwrap_or("http"), url.path());
    let status =
        OutputStatus { kind: key.kind, name: key.name.clone(), url, shards: 1, ..Default::default() };
    let status = shared.board.output(key.clone(), status);
    // The first ones are made here, so that what is wrong with them is known now.
    let mut first = Some(parts(&output, &logs, &key.to_string(), from)?);
    let (name, clock) = (key.to_string(), shared.clock.clone());
    Ok(keep_running(name.clone(), move || {
        let parts = first.take().ok_or(()).or_else(|()| parts(&output, &logs, &name, from));
        let (status, clock, left) = (status.clone(), clock.clone(), leave.clone());
        async move {
            match parts {
                Ok((output, reads)) => deliver(output, reads, status, clock, left).await,
                Err(error) => error!("the output cannot be started again: {error:#}"),
            }
        }
    }))
}

/// An output, and what it reads. Made anew when it panicked.
fn parts<D>(
    output: &impl Fn() -> Result<D, ClientError>,
    logs: &[Arc<dyn Log>],
    name: &str,
    from: Start,
) -> anyhow::Result<(D, Vec<Reads>)> {
    let reads = logs.iter().map(|log| Ok(Reads { cursor: log.cursor(name, from)?, log: log.clone() }));
    Ok((output()?, reads.collect::<anyhow::Result<_>>()?))
}
