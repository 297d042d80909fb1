//! A container as the engine knows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The longest text from an engine that is kept, in bytes.
pub const MAX_TEXT: usize = taffrail_core::label::MAX_VALUE;

/// What a container's health check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// It has not said anything yet.
    Starting,
    /// It works.
    Healthy,
    /// It failed too often.
    Unhealthy,
}

impl Health {
    /// The state of this name; none for a container without a check.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "starting" => Some(Health::Starting),
            "healthy" => Some(Health::Healthy),
            "unhealthy" => Some(Health::Unhealthy),
            _ => None,
        }
    }
}

/// One container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its plain name.
    pub name: String,
    /// The image, as it was asked for: `shop:1.2`.
    pub image: String,
    /// What that was when the container was made: `sha256:…`.
    pub image_id: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it runs.
    pub running: bool,
    /// What its health check says, if it has one.
    pub health: Option<Health>,
    /// How often the engine has started it again.
    pub restarts: u64,
    /// How it ended last.
    pub exit_code: Option<i64>,
    /// Its first process, as the host numbers it.
    pub pid: Option<u32>,
    /// When it was made, in seconds since 1970.
    pub created: Option<f64>,
    /// When it was started last, in seconds since 1970.
    pub started: Option<f64>,
    /// `bridge`, `host`, `container:<id>`, or a network's name.
    pub network_mode: String,
    /// What takes its output: `json-file`, `local`, `journald`.
    pub log_driver: String,
    /// The file of its output, where the driver has one.
    pub log_path: String,
    /// Whether its output goes to a terminal, in which the two streams are one.
    pub tty: bool,
}

/// Labels that Docker Compose sets.
const COMPOSE_PROJECT: &str = "com.docker.compose.project";
const COMPOSE_SERVICE: &str = "com.docker.compose.service";

impl Container {
    /// A label's value; empty when it has none.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// What it is a copy of, however often it is made anew: project and service of Docker Compose, else its name.
    pub fn service(&self) -> (&str, &str) {
        match self.label(COMPOSE_SERVICE) {
            "" => ("", &self.name),
            service => (self.label(COMPOSE_PROJECT), service),
        }
    }
}
