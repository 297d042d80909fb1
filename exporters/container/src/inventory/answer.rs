//! What the engine's API answers, as far as it is read. All of it may be missing: engines differ, and an older or newer
//! one must not be refused for a field.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::client::EngineError;
use super::container::{Container, Health, MAX_TEXT};

/// An entry of `GET /containers/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "SizeRw")]
    size: Option<u64>,
}

/// `GET /containers/{id}/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Inspected {
    id: String,
    name: Option<String>,
    created: Option<String>,
    image: Option<String>,
    restart_count: Option<u64>,
    log_path: Option<String>,
    state: Option<State>,
    config: Option<Config>,
    host_config: Option<HostConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct State {
    status: Option<String>,
    running: Option<bool>,
    pid: Option<u32>,
    exit_code: Option<i64>,
    started_at: Option<String>,
    #[serde(alias = "Healthcheck")]
    health: Option<HealthState>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct HealthState {
    status: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Config {
    image: Option<String>,
    labels: Option<BTreeMap<String, Value>>,
    tty: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct HostConfig {
    network_mode: Option<String>,
    log_config: Option<LogConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LogConfig {
    #[serde(rename = "Type")]
    driver: Option<String>,
}

/// The ids in a list, and the bytes that each container has written over its image, where they were asked for. An entry
/// that does not read is left out, the others count.
pub fn list(path: &str, body: &[u8]) -> Result<Vec<(String, Option<u64>)>, EngineError> {
    let entries: Vec<Value> = serde_json::from_slice(body).map_err(|error| json(path, &error))?;
    let entries = entries.into_iter().filter_map(|entry| Listed::deserialize(entry).ok());
    Ok(entries.filter(|entry| !entry.id.is_empty()).map(|entry| (entry.id, entry.size)).collect())
}

/// One container.
pub fn container(path: &str, body: &[u8]) -> Result<Container, EngineError> {
    let inspected: Inspected = serde_json::from_slice(body).map_err(|error| json(path, &error))?;
    if inspected.id.is_empty() {
        return Err(EngineError::Json { path: path.to_owned(), what: "it has no `Id`".to_owned() });
    }
    let state = inspected.state.unwrap_or_default();
    let config = inspected.config.unwrap_or_default();
    let host = inspected.host_config.unwrap_or_default();
    let health = state.health.and_then(|health| health.status);
    let name = inspected.name.unwrap_or_default();
    let labels = config.labels.unwrap_or_default().into_iter().map(|(key, value)| match value {
        Value::String(text) => (cut(&key), cut(&text)),
        other => (cut(&key), cut(&other.to_string())),
    });
    let image_id = cut(&inspected.image.unwrap_or_default());
    Ok(Container {
        id: inspected.id,
        name: cut(name.strip_prefix('/').unwrap_or(&name)),
        image: config.image.filter(|image| !image.is_empty()).map_or_else(|| image_id.clone(), |i| cut(&i)),
        image_id,
        labels: labels.collect(),
        running: state.running.unwrap_or_else(|| state.status.as_deref() == Some("running")),
        health: health.as_deref().and_then(Health::parse),
        restarts: inspected.restart_count.unwrap_or(0),
        exit_code: state.exit_code,
        pid: state.pid.filter(|pid| *pid > 0),
        created: inspected.created.as_deref().and_then(super::time::parse),
        started: state.started_at.as_deref().and_then(super::time::parse),
        network_mode: host.network_mode.unwrap_or_default(),
        log_driver: host.log_config.and_then(|log| log.driver).unwrap_or_default(),
        log_path: inspected.log_path.unwrap_or_default(),
        tty: config.tty.unwrap_or(false),
    })
}

/// What an engine says of itself: `GET /version`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Version {
    /// Its version.
    #[serde(rename = "Version")]
    pub version: String,
    /// The newest version of its API.
    #[serde(rename = "ApiVersion")]
    pub api: String,
}

/// Reads the answer to `GET /version`.
pub fn version(path: &str, body: &[u8]) -> Result<Version, EngineError> {
    serde_json::from_slice(body).map_err(|error| json(path, &error))
}

/// One line of `GET /events`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    #[serde(rename = "Type")]
    kind: Option<String>,
    #[serde(rename = "Action", alias = "status")]
    action: Option<String>,
    id: Option<String>,
    #[serde(rename = "Actor")]
    actor: Option<Actor>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Actor {
    #[serde(rename = "ID")]
    id: Option<String>,
    #[serde(rename = "Attributes")]
    attributes: Option<BTreeMap<String, Value>>,
}

/// An event as the engine tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What happened: `start`, `die`, `health_status: healthy`.
    pub action: String,
    /// To which container.
    pub id: String,
    /// What else is known: `name`, `image`, `exitCode`, the container's labels.
    pub attributes: BTreeMap<String, String>,
}

/// Reads one line of events; none for one that is about no container.
pub fn event(line: &[u8]) -> Result<Option<Told>, EngineError> {
    // Two names of one field are an error to a reader with an alias, and older engines write both.
    let value: Value = serde_json::from_slice(line).map_err(|error| json(super::EVENTS, &error))?;
    let mut value = value;
    if let Some(fields) = value.as_object_mut()
        && fields.contains_key("Action")
    {
        fields.remove("status");
    }
    let line = Line::deserialize(value).map_err(|error| json(super::EVENTS, &error))?;
    let actor = line.actor.unwrap_or_default();
    let id = actor.id.or(line.id).unwrap_or_default();
    if line.kind.is_some_and(|kind| kind != "container") || id.is_empty() {
        return Ok(None);
    }
    let attributes = actor.attributes.unwrap_or_default().into_iter();
    let attributes = attributes.filter_map(|(key, value)| Some((cut(&key), cut(value.as_str()?))));
    let action = cut(&line.action.unwrap_or_default());
    Ok(Some(Told { action, id: cut(&id), attributes: attributes.collect() }))
}

fn json(path: &str, error: &serde_json::Error) -> EngineError {
    EngineError::Json { path: path.to_owned(), what: error.to_string() }
}

/// Text from outside, of a length that fits a label.
fn cut(text: &str) -> String {
    taffrail_core::label::value(&text.as_bytes()[..text.len().min(MAX_TEXT + 4)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_any_engine() {
        let listed =
            list("/", br#"[{"Id":"a","SizeRw":7,"New":{}},{"Id":5},{"Names":null},{"Id":"b"}]"#).unwrap();
        assert_eq!(listed, [("a".to_owned(), Some(7)), ("b".to_owned(), None)]);
        let error = list("/containers/json", br#"[{"Id":"a"},{"Id"#).unwrap_err().to_string();
        assert!(error.starts_with("/containers/json was answered with what does not read"), "{error}");
    }

    #[test]
    fn a_container_with_all_and_one_with_nothing() {
        let all = br#"{"Id":"a1","Name":"/shop-web-1","Created":"2026-11-21T01:02:03.5Z","Image":"sha256:1",
            "RestartCount":3,"LogPath":"/var/l.log","State":{"Status":"running","Running":true,"Pid":42,
            "StartedAt":"2026-11-21T01:02:04Z","Health":{"Status":"starting"}},
            "Config":{"Image":"shop:1","Labels":{"a":"b","n":5},"Tty":true},
            "HostConfig":{"NetworkMode":"host","LogConfig":{"Type":"json-file"}}}"#;
        let whole = container("/", all).unwrap();
        assert_eq!((whole.name.as_str(), whole.image.as_str()), ("shop-web-1", "shop:1"));
        assert_eq!(whole.labels["a"], "b");
        assert_eq!(whole.labels["n"], "5");
        assert_eq!(whole.health, Some(Health::Starting));
        assert_eq!((whole.restarts, whole.pid), (3, Some(42)));
        assert_eq!(whole.created, Some(1_795_222_923.5));
        assert!(whole.running && whole.tty);
        let little = container("/", br#"{"Id":"b","Image":"sha256:2","State":null}"#).unwrap();
        assert_eq!((little.image.as_str(), little.health, little.pid), ("sha256:2", None, None));
        assert!(container("/", b"{}").is_err());
        assert!(container("/", br#"{"Id":"b","Sta"#).is_err());
    }

    #[test]
    fn events_of_any_engine() {
        let new = br#"{"status":"die","id":"a","Type":"container","Action":"die",
            "Actor":{"ID":"a","Attributes":{"exitCode":"137","name":"x"}},"time":1}"#;
        let told = event(new).unwrap().unwrap();
        assert_eq!((told.action.as_str(), told.id.as_str()), ("die", "a"));
        assert_eq!(told.attributes["exitCode"], "137");
        let old = event(br#"{"status":"start","id":"b","from":"busybox"}"#).unwrap().unwrap();
        assert_eq!((old.action.as_str(), old.id.as_str()), ("start", "b"));
        assert_eq!(event(br#"{"Type":"network","Action":"connect","Actor":{"ID":"n"}}"#).unwrap(), None);
        assert!(event(br#"{"Type":"contai"#).is_err());
    }
}
