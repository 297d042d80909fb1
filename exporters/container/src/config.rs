//! The container exporter's settings: plain, valid, comparable. What is written in `taffrail.yml` is parsed elsewhere.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::inventory::Address;

/// The labels of containers that become labels of their series, where nothing else is said: what Docker Compose sets.
pub const LABELS: [&str; 2] = ["com.docker.compose.project", "com.docker.compose.service"];
/// What stands before a container's label in the name of a series' label.
pub const LABEL_PREFIX: &str = "container_label_";
/// Labels that series have for containers of pods, as the kubelet names them.
pub const POD_LABELS: [&str; 3] = ["container", "namespace", "pod"];

/// The settings of the container exporter.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerConfig {
    /// Where the host's procfs is.
    pub procfs: PathBuf,
    /// Where the host's sysfs is.
    pub sysfs: PathBuf,
    /// Where the host's root directory is.
    pub rootfs: PathBuf,
    /// Where the engine's API is. None: the first of the usual places that is there.
    pub engine: Option<Address>,
    /// Whether all that the cgroup files tell is published, not only what dashboards and alerts ask for.
    pub full: bool,
    /// The labels of containers that become labels of their series.
    pub labels: Vec<String>,
}

impl Default for ContainerConfig {
    fn default() -> Self {
        ContainerConfig {
            procfs: "/proc".into(),
            sysfs: "/sys".into(),
            rootfs: "/".into(),
            engine: None,
            full: false,
            labels: LABELS.map(str::to_owned).to_vec(),
        }
    }
}

impl ContainerConfig {
    /// The names of the labels that series have beside those that are declared, in order.
    pub fn more_labels(&self) -> Vec<Cow<'static, str>> {
        let own = self.labels.iter().map(|label| Cow::Owned(label_name(label)));
        own.chain(POD_LABELS.map(Cow::Borrowed)).collect()
    }
}

/// The name of the series' label for a container's label.
pub fn label_name(label: &str) -> String {
    let plain = label.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' });
    LABEL_PREFIX.chars().chain(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_labels() {
        let names = ContainerConfig::default().more_labels();
        assert_eq!(names[0], "container_label_com_docker_compose_project");
        assert_eq!(names[4], "pod");
        assert_eq!(label_name("a-b/c d.é"), "container_label_a_b_c_d__");
    }
}
