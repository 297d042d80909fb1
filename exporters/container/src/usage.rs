//! The subject `usage`: what each running container uses, from its cgroup, and its network's counters. Names and the like
//! come from the inventory; without it the values go on.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use taffrail_core::file::read_once;
use taffrail_core::{Clock, CollectError, Out, Subject};

use crate::Parts;
use crate::block_device::Names;
use crate::cgroup::Cgroup;
use crate::config::ContainerConfig;
use crate::directory::Directory;
use crate::files::{Detail, Reading};
use crate::hugetlb;
use crate::identity;
use crate::inventory::{Engine, Health, Inventory, State};
use crate::kills::Kills;
use crate::layout::Layout;
use crate::meminfo;
use crate::pods::{Pods, TRIES};
use crate::process;
use crate::walk::{self, Found, MAX_CONTAINERS};
use crate::write::{self, Writer};

/// The path of the host's own cgroup, as the label `id` names it.
const HOST: &str = "/";
/// The process whose network is the host's.
const INIT: u32 = 1;
/// The first run waits for the first answer of the engine, so that no container starts without its name: so many looks.
const NAMES_LOOKS: u32 = 80;
/// The pause between two of them.
const NAMES_PAUSE: Duration = Duration::from_millis(5);

/// The subject `usage`.
pub fn subject(parts: &Parts<'_>) -> Subject {
    let mut usage = Usage::new(parts);
    Subject::blocking("usage", write::METRICS, move |out| usage.collect(out))
}

struct Usage {
    config: ContainerConfig,
    inventory: Inventory,
    clock: Clock,
    /// The cgroups by path; the host's is the first.
    live: BTreeMap<String, Cgroup>,
    /// Where other subjects learn the labels of what is alive.
    directory: Directory,
    kills: Kills,
    pods: Pods,
    devices: Names,
    detail: Detail,
    more: Vec<Cow<'static, str>>,
    run: u64,
    buffer: Vec<u8>,
}

impl Usage {
    fn new(parts: &Parts<'_>) -> Self {
        let config = parts.config.clone();
        Usage {
            directory: parts.directory.clone(),
            more: config.more_labels(),
            pods: Pods::new(&config.rootfs),
            devices: Names::new(&config.sysfs),
            // The kernel knows its sizes from its start on.
            detail: match config.full {
                true => Detail::Full(hugetlb::sizes(&config.sysfs)),
                false => Detail::Default,
            },
            inventory: parts.inventory.clone(),
            clock: parts.clock.clone(),
            live: BTreeMap::new(),
            kills: Kills::default(),
            run: 0,
            buffer: Vec::new(),
            config,
        }
    }

    fn collect(&mut self, out: &mut Out) -> Result<(), CollectError> {
        let layout = Layout::find(&self.config.sysfs).ok_or(CollectError::Absent)?;
        if self.run == 0 {
            self.wait_for_names();
        }
        self.run += 1;
        let tree = layout.searched();
        let walked = walk::walk(&tree).map_err(|source| CollectError::Read { path: tree, source })?;
        let more =
            || CollectError::Other(format!("more than {MAX_CONTAINERS} containers: the rest is left out"));
        let mut trouble = walked.more.then(more);
        let state = self.inventory.state();
        self.update(&layout, &walked.found);
        self.identify(&state);
        let owners = self.look_at_processes();
        let mut live = mem::take(&mut self.live);
        let now = self.clock.monotonic();
        for (path, cgroup) in &mut live {
            if self.is_too_new(cgroup, &state) {
                continue;
            }
            let reading = cgroup.read(now, &mut self.buffer);
            let Some(Reading { mut stats, trouble: error }) = reading else { continue };
            if path == HOST && stats.memory.usage.is_none() {
                stats.memory.usage = meminfo::read(&self.config.procfs).map(|memory| memory.used());
            }
            if let Some(error) = error {
                trouble.get_or_insert(error);
            }
            self.write(path, cgroup, &stats, &state, &owners, out);
        }
        self.live = live;
        self.directory.set(self.live.values().map(|cgroup| (cgroup.id.as_str(), &cgroup.labels)));
        let live: HashSet<&str> = self.live.values().map(|cgroup| cgroup.id.as_str()).collect();
        self.kills.forget(|id| live.contains(id) || state.containers.contains_key(id));
        out.put(&write::ERROR, [], f64::from(u8::from(trouble.is_some())));
        trouble.map_or(Ok(()), Err)
    }

    fn wait_for_names(&self) {
        for _ in 0..NAMES_LOOKS {
            if self.inventory.state().engine != Engine::Unknown {
                return;
            }
            std::thread::sleep(NAMES_PAUSE);
        }
    }

    /// Makes `live` what was found, and the host.
    fn update(&mut self, layout: &Layout, found: &[Found]) {
        let host = (HOST, "", 0);
        let found = found.iter().map(|found| (found.path.as_str(), found.id.as_str(), found.inode));
        for (path, id, inode) in std::iter::once(host).chain(found) {
            match self.live.get_mut(path) {
                Some(cgroup) if cgroup.inode == inode => cgroup.last = self.run,
                _ => {
                    let mut cgroup = Cgroup::new(layout, path, id, inode, &self.detail);
                    (cgroup.first, cgroup.last) = (self.run, self.run);
                    self.live.insert(path.to_owned(), cgroup);
                }
            }
        }
        self.live.retain(|_, cgroup| cgroup.last == self.run);
    }

    /// Gives each cgroup its labels, where what they are made of has changed.
    fn identify(&mut self, state: &State) {
        let of_pods = self.live.values().filter_map(|c| Some((c.pod.as_deref()?, c.id.as_str())));
        self.pods.update(of_pods);
        for (path, cgroup) in &mut self.live {
            let container = state.containers.get(&*cgroup.id);
            let same = match (container, &cgroup.container) {
                (Some(new), Some(old)) => Arc::ptr_eq(new, old),
                // What was known is kept when the engine went away.
                (None, _) => true,
                (Some(_), None) => false,
            };
            if !same {
                // It may be a change of limits that the engine told of.
                cgroup.settings_at = None;
            }
            if same && self.run > cgroup.first + u64::from(TRIES) {
                continue;
            }
            cgroup.container = container.cloned();
            let labels = match cgroup.id.as_str() {
                "" => identity::host(&self.config),
                id => {
                    let pod = cgroup.pod.as_deref().and_then(|uid| self.pods.get(uid, id));
                    identity::labels(&self.config, path, id, container.map(|c| &**c), pod)
                }
            };
            if *cgroup.labels != labels {
                cgroup.labels = Arc::new(labels);
            }
        }
    }

    /// Whether a container is so new that the engine, which answers, has not told of it: it waits for its name.
    fn is_too_new(&self, cgroup: &Cgroup, state: &State) -> bool {
        cgroup.first == self.run
            && cgroup.container.is_none()
            && !cgroup.id.is_empty()
            && matches!(state.engine, Engine::Connected(_))
    }

    /// Reads the processes and networks of all. Which start time has the container to which each network belongs: of
    /// those that share one (the containers of a pod), the one that was first.
    fn look_at_processes(&mut self) -> HashMap<u64, f64> {
        let boot_time =
            read_once(&self.config.procfs.join("stat")).ok().and_then(|stat| process::boot_time(&stat));
        let procfs = &self.config.procfs;
        let mut owners = HashMap::new();
        for cgroup in self.live.values_mut() {
            match cgroup.id.as_str() {
                "" => cgroup.look_at(INIT, procfs, &mut self.buffer),
                _ => cgroup.look_at_processes(procfs, &mut self.buffer),
            }
            if cgroup.started.is_none()
                && let (Some(pid), Some(boot_time)) = (cgroup.processes.first, boot_time)
            {
                cgroup.started = process::started(procfs, pid, boot_time).ok();
            }
            if let Some((network, _)) = &cgroup.network {
                let since = cgroup.started.unwrap_or(f64::MAX);
                owners
                    .entry(*network)
                    .and_modify(|first: &mut f64| *first = first.min(since))
                    .or_insert(since);
            }
        }
        owners
    }

    fn write(
        &mut self,
        path: &str,
        cgroup: &mut Cgroup,
        stats: &crate::stats::Stats,
        state: &State,
        owners: &HashMap<u64, f64>,
        out: &mut Out,
    ) {
        let kills = match path {
            HOST => stats.memory.oom_kills,
            _ => {
                let told = state.counts.ooms(&cgroup.id);
                self.kills.count(&cgroup.id, cgroup.inode, stats.memory.oom_kills, told)
            }
        };
        let mut writer = Writer { out, labels: &cgroup.labels, more: &self.more, full: self.config.full };
        writer.put(&write::LAST_SEEN, Some((self.clock.now_ms() / 1000) as f64));
        let started = cgroup.started.or_else(|| cgroup.container.as_ref().and_then(|c| c.started));
        writer.put(&write::START_TIME, started);
        writer.stats(stats, &mut self.devices);
        writer.put(&write::OOM_EVENTS, kills);
        if cgroup.processes.count > 0 {
            writer.processes(cgroup.processes.count);
        }
        if let Some((network, interfaces)) = &cgroup.network
            && owners.get(network) == Some(&cgroup.started.unwrap_or(f64::MAX))
        {
            writer.network(interfaces);
        }
        let Some(container) = &cgroup.container else { return };
        let health = match container.health {
            Some(Health::Healthy) => 1.0,
            Some(Health::Starting | Health::Unhealthy) => 0.0,
            None => -1.0,
        };
        writer.put(&write::HEALTH, Some(health));
        writer.put(&write::RESTARTS, Some(container.restarts as f64));
        if self.config.full {
            writer.put(&write::CREATION_TIME, container.created);
        }
    }
}

#[cfg(test)]
#[path = "usage_tests.rs"]
mod tests;
