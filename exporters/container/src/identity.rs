//! Who a container is: the labels of its series, from what the engine and Kubernetes' log folders know.

use crate::config::ContainerConfig;
use crate::inventory::Container;
use crate::pods::Pod;
use crate::write::Labels;

/// How many digits of an id stand for a name, as the engines print them.
const SHORT: usize = 12;
/// The image of a container that nobody knows: it is one, so it is not left empty, which stands for none.
const UNKNOWN: &str = "unknown";

/// Labels that Kubernetes sets on its containers where the engine is Docker.
const POD_LABELS: [&str; 3] =
    ["io.kubernetes.container.name", "io.kubernetes.pod.namespace", "io.kubernetes.pod.name"];

/// The labels of the container `id` whose cgroup is at `path`.
pub fn labels(
    config: &ContainerConfig,
    path: &str,
    id: &str,
    container: Option<&Container>,
    pod: Option<&Pod>,
) -> Labels {
    let short = id.get(..SHORT).unwrap_or(id);
    let text = |text: &str, otherwise: &str| Box::from(if text.is_empty() { otherwise } else { text });
    let own = config.labels.iter().map(|label| text(container.map_or("", |c| c.label(label)), ""));
    let of_pod = match pod {
        Some(pod) => [pod.container.as_str(), &pod.namespace, &pod.name],
        None => POD_LABELS.map(|label| container.map_or("", |c| c.label(label))),
    };
    Labels {
        id: path.into(),
        image: text(container.map_or("", |c| &c.image), UNKNOWN),
        name: text(container.map_or("", |c| &c.name), short),
        more: own.chain(of_pod.map(Box::from)).collect(),
    }
}

/// The labels of the host: no name and no image, as it is no container.
pub fn host(config: &ContainerConfig) -> Labels {
    let more = config.more_labels().iter().map(|_| Box::from("")).collect();
    Labels { id: "/".into(), image: "".into(), name: "".into(), more }
}
