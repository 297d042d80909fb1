//! What happens to containers, and how it is told.

use std::sync::Arc;

use taffrail_core::Note;
use taffrail_core::note::Level;

use super::container::{Container, Health};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It runs.
    Start,
    /// It ended, with this exit code, if the engine says so.
    Die(Option<i64>),
    /// A process of it was killed for lack of memory.
    Oom,
    /// Its health check says something else than before.
    Health(Health),
    /// Its service runs another image than before.
    Deployment {
        /// The image of before.
        from: String,
    },
    /// It is gone for good.
    Destroy,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub what: What,
    /// To which container; as it is after the event.
    pub container: Arc<Container>,
}

impl What {
    /// The value of the label `event` in `container_events_total`.
    pub fn name(&self) -> &'static str {
        match self {
            What::Start => "start",
            What::Die(_) => "die",
            What::Oom => "oom",
            What::Health(_) => "health",
            What::Deployment { .. } => "deployment",
            What::Destroy => "destroy",
        }
    }

    fn note(&self) -> &'static str {
        match self {
            What::Start => "container_start",
            What::Die(_) => "container_die",
            What::Oom => "container_oom",
            What::Health(_) => "container_health",
            What::Deployment { .. } => "deployment",
            What::Destroy => "container_destroy",
        }
    }

    /// An end that was asked for, by `docker stop` among others, is no news; nor is one that went well.
    fn level(&self) -> Level {
        match self {
            What::Oom | What::Health(Health::Unhealthy) => Level::Warn,
            What::Die(Some(code)) if !matches!(code, 0 | 130 | 143) => Level::Warn,
            _ => Level::Info,
        }
    }
}

impl Event {
    /// The event for people.
    pub fn note(&self) -> Note {
        let Container { name, image, id, .. } = &*self.container;
        let text = match &self.what {
            What::Start => format!("container {name} started"),
            What::Die(None) => format!("container {name} ended"),
            What::Die(Some(code)) => format!("container {name} ended with {code}"),
            What::Oom => format!("a process of container {name} was killed for lack of memory"),
            What::Health(Health::Healthy) => format!("container {name} is healthy"),
            What::Health(Health::Unhealthy) => {
                format!("container {name} is unhealthy: its health check fails")
            }
            What::Health(Health::Starting) => {
                format!("container {name} is starting: no health check succeeded yet")
            }
            What::Deployment { from } => format!("{} now runs {image}, before {from}", self.service()),
            What::Destroy => format!("container {name} was removed"),
        };
        let mut facts =
            vec![("container", name.clone()), ("image", image.clone()), ("container_id", id.clone())];
        let (project, service) = self.container.service();
        if !project.is_empty() {
            facts.extend([("compose_project", project.to_owned()), ("compose_service", service.to_owned())]);
        }
        match &self.what {
            What::Die(Some(code)) => facts.push(("exit_code", code.to_string())),
            What::Deployment { from } => facts.push(("previous_image", from.clone())),
            _ => {}
        }
        Note { level: self.what.level(), event: self.what.note(), text, facts }
    }

    fn service(&self) -> String {
        match self.container.service() {
            ("", name) => name.to_owned(),
            (project, service) => format!("{service} of {project}"),
        }
    }
}
