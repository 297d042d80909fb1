//! What comes through of an answer. A list of what does, not of what does not: what an engine tells one day that it does
//! not tell today stays behind until somebody has looked at it. Not on the lists, since they hold secrets more often than
//! not: the environment, commands and their arguments, health checks and what they printed, options of log drivers,
//! proxies, mounts.

use serde_json::{Map, Value};

/// What comes through of a value.
#[derive(Debug)]
pub enum Keep {
    /// All of it.
    All,
    /// Of an object, these.
    Only(&'static [(&'static str, Keep)]),
    /// Of each of a list, or of each value of an object, this.
    Each(&'static Keep),
}

use Keep::{All, Each, Only};

impl Keep {
    /// What comes through of `value`. What is of another kind than expected does not.
    pub fn of(&self, value: Value) -> Value {
        match (self, value) {
            (All, value) => value,
            (Only(fields), Value::Object(mut object)) => {
                let kept = fields.iter().filter_map(|(name, keep)| {
                    let value = object.remove(*name)?;
                    Some(((*name).to_owned(), keep.of(value)))
                });
                Value::Object(kept.collect::<Map<_, _>>())
            }
            (Each(keep), Value::Array(values)) => values.into_iter().map(|value| keep.of(value)).collect(),
            (Each(keep), Value::Object(object)) => {
                object.into_iter().map(|(name, value)| (name, keep.of(value))).collect()
            }
            (Only(_) | Each(_), _) => Value::Null,
        }
    }
}

/// `GET /version`
pub static VERSION: Keep = Only(&[
    ("ApiVersion", All),
    ("Arch", All),
    ("KernelVersion", All),
    ("MinAPIVersion", All),
    ("Os", All),
    ("Version", All),
]);

/// `GET /info`
pub static INFO: Keep = Only(&[
    ("Architecture", All),
    ("CgroupDriver", All),
    ("CgroupVersion", All),
    ("Containers", All),
    ("ContainersPaused", All),
    ("ContainersRunning", All),
    ("ContainersStopped", All),
    ("DockerRootDir", All),
    ("Driver", All),
    ("Images", All),
    ("KernelVersion", All),
    ("LoggingDriver", All),
    ("MemTotal", All),
    ("NCPU", All),
    ("Name", All),
    ("OSType", All),
    ("OperatingSystem", All),
    ("ServerVersion", All),
]);

/// A container's place in a network.
static ENDPOINT: Keep = Only(&[
    ("Aliases", All),
    ("GlobalIPv6Address", All),
    ("IPAddress", All),
    ("MacAddress", All),
    ("NetworkID", All),
]);

/// `GET /containers/json`
pub static CONTAINERS: Keep = Each(&Only(&[
    ("Created", All),
    ("HostConfig", Only(&[("NetworkMode", All)])),
    ("Id", All),
    ("Image", All),
    ("ImageID", All),
    ("Labels", All),
    ("Names", All),
    ("NetworkSettings", Only(&[("Networks", Each(&ENDPOINT))])),
    ("Ports", All),
    ("SizeRootFs", All),
    ("SizeRw", All),
    ("State", All),
    ("Status", All),
]));

/// `GET /containers/ID/json`
pub static CONTAINER: Keep = Only(&[
    ("Config", Only(&[("Hostname", All), ("Image", All), ("Labels", All), ("Tty", All)])),
    ("Created", All),
    (
        "HostConfig",
        Only(&[("LogConfig", Only(&[("Type", All)])), ("NetworkMode", All), ("RestartPolicy", All)]),
    ),
    ("Id", All),
    ("Image", All),
    ("LogPath", All),
    ("Name", All),
    ("NetworkSettings", Only(&[("Networks", Each(&ENDPOINT)), ("Ports", All)])),
    ("Platform", All),
    ("RestartCount", All),
    ("SizeRootFs", All),
    ("SizeRw", All),
    (
        "State",
        Only(&[
            ("Dead", All),
            ("ExitCode", All),
            ("FinishedAt", All),
            ("Health", Only(&[("FailingStreak", All), ("Status", All)])),
            // Podman's word for it, of before.
            ("Healthcheck", Only(&[("FailingStreak", All), ("Status", All)])),
            ("OOMKilled", All),
            ("Paused", All),
            ("Pid", All),
            ("Restarting", All),
            ("Running", All),
            ("StartedAt", All),
            ("Status", All),
        ]),
    ),
]);

/// `GET /images/NAME/json`
pub static IMAGE: Keep = Only(&[
    ("Architecture", All),
    ("Config", Only(&[("Labels", All)])),
    ("Created", All),
    ("Id", All),
    ("Os", All),
    ("RepoDigests", All),
    ("RepoTags", All),
    ("Size", All),
]);

/// `GET /networks`
pub static NETWORKS: Keep = Each(&Only(&[
    ("Driver", All),
    ("Id", All),
    ("Ingress", All),
    ("Internal", All),
    ("Labels", All),
    ("Name", All),
    ("Scope", All),
]));

/// A line of `GET /events`
pub static EVENT: Keep = Only(&[
    ("Action", All),
    ("Actor", Only(&[("Attributes", All), ("ID", All)])),
    ("Type", All),
    ("from", All),
    ("id", All),
    ("scope", All),
    ("status", All),
    ("time", All),
    ("timeNano", All),
]);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_listed() {
        let inspected = json!({
            "Id": "a", "Args": ["--password=x"], "Path": "/bin/x",
            "Config": {"Env": ["SECRET=x"], "Cmd": ["x"], "Labels": {"a": "b"}, "Tty": true},
            "HostConfig": {"LogConfig": {"Type": "splunk", "Config": {"splunk-token": "x"}}, "Binds": ["/x"]},
            "State": {"Status": "running", "Health": {"Status": "healthy", "Log": [{"Output": "x"}]}},
            "NetworkSettings": {"Networks": {"front": {"IPAddress": "10.0.0.2", "DriverOpts": {"x": "y"}}}},
            "Mounts": [{"Source": "/x"}],
        });
        assert_eq!(
            CONTAINER.of(inspected),
            json!({
                "Id": "a", "Config": {"Labels": {"a": "b"}, "Tty": true},
                "HostConfig": {"LogConfig": {"Type": "splunk"}},
                "State": {"Status": "running", "Health": {"Status": "healthy"}},
                "NetworkSettings": {"Networks": {"front": {"IPAddress": "10.0.0.2"}}},
            })
        );
        assert_eq!(CONTAINERS.of(json!([{"Id": "a", "Command": "x"}, "x"])), json!([{"Id": "a"}, null]));
        assert_eq!(INFO.of(json!("x")), Value::Null);
    }
}
