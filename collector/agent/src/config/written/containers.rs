//! `containers` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::defaults;
use super::{Field, Interval, LabelValue, PathText, Text};
use crate::config::scalar::EngineAddress;

/// Metrics of containers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Containers {
    /// Where the engine's API is: `unix:///path`, `tcp://host:port` of a filter in front of it, or `none`. Names, images, labels,
    /// health and events come from there; numbers do not need it. Default: the first of `/run/docker.sock`,
    /// `/var/run/docker.sock` and `/run/podman/podman.sock` that is there, below `rootfs`.
    #[schemars(extend("examples" = ["unix:///var/run/docker.sock"]))]
    pub docker: Field<EngineAddress>,
    /// The `job` label of container metrics.
    #[schemars(extend("default" = defaults::CONTAINERS_JOB))]
    pub job: Field<LabelValue>,
    /// How often is collected. Default: the top-level `interval`.
    #[schemars(extend("examples" = ["30s"]))]
    pub interval: Field<Interval>,
    /// `default` is what dashboards and alerts ask for, at most some 45 series a container; `full` is all that the cgroup
    /// files tell.
    #[schemars(extend("default" = "default"))]
    pub detail: Field<Detail>,
    /// The labels of containers that become labels of their series, as `container_label_<name>`. Each one more makes every
    /// series longer. Default: the project and the service of Docker Compose.
    #[schemars(extend("examples" = [["com.docker.compose.project", "com.docker.compose.service", "team"]]))]
    pub labels: Field<Vec<Field<Text>>>,
    /// The host's /proc. Default: that of `host`, else `/proc`.
    #[schemars(extend("examples" = ["/host/proc"]))]
    pub procfs: Field<PathText>,
    /// The host's /sys. Default: that of `host`, else `/sys`.
    #[schemars(extend("examples" = ["/host/sys"]))]
    pub sysfs: Field<PathText>,
    /// The host's root directory. Default: that of `host`, else `/`.
    #[schemars(extend("examples" = ["/host/root"]))]
    pub rootfs: Field<PathText>,
}

/// How much is published.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// What dashboards and alerts ask for.
    Default,
    /// All that the cgroup files tell, and what the machine is made of.
    Full,
}
