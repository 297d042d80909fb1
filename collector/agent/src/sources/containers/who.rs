//! Who writes: the labels of a container's streams, and the structured metadata of its entries. What changes with every
//! deployment, such as the id, is metadata: a container that is made anew makes no new stream.

use std::collections::BTreeMap;

use taffrail_container::inventory::Container;

use super::settings::Settings;
use crate::logs::Pairs;

/// How many digits of an id stand for it, as the engines print them.
const SHORT: usize = 12;

const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const ONE_OFF: &str = "com.docker.compose.oneoff";
const SWARM_SERVICE: &str = "com.docker.swarm.service.name";
const SWARM_TASK: &str = "com.docker.swarm.task.id";

/// The labels of its streams, sorted by name; `stream` comes from its records.
pub(super) fn labels(
    own: &BTreeMap<String, String>,
    instance: &str,
    container: &Container,
    settings: &Settings,
) -> Pairs {
    let mut labels = own.clone();
    let name = name(container);
    let service =
        [settings.service.as_deref().unwrap_or(""), container.label(SERVICE), container.label(SWARM_SERVICE)];
    let service = service.into_iter().find(|name| !name.is_empty()).unwrap_or(name);
    labels.entry("service_name".to_owned()).or_insert_with(|| service.to_owned());
    labels.insert("instance".to_owned(), instance.to_owned());
    labels.insert("container".to_owned(), name.to_owned());
    for (label, value) in
        [("compose_project", container.label(PROJECT)), ("compose_service", container.label(SERVICE))]
    {
        if !value.is_empty() {
            labels.insert(label.to_owned(), value.to_owned());
        }
    }
    labels.into_iter().collect()
}

/// The structured metadata of its entries.
pub(super) fn metadata(container: &Container) -> Pairs {
    let id = container.id.get(..SHORT).unwrap_or(&container.id);
    let pairs = [("container_id", id), ("image", &container.image)];
    let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Its name, without what is of this one deployment.
pub(super) fn name(container: &Container) -> &str {
    let name = container.name.as_str();
    // Compose renames a container like this until the one in its place is there.
    if let Some((id, plain)) = name.split_once('_')
        && id.len() == SHORT
        && container.id.starts_with(id)
    {
        return plain;
    }
    // `web.1.x8f0…`: the task's id.
    let task = container.label(SWARM_TASK);
    if let Some(plain) = name.strip_suffix(task).and_then(|name| name.strip_suffix('.'))
        && !task.is_empty()
    {
        return plain;
    }
    // `shop-web-run-3f2a1b4c5d6e`
    if container.label(ONE_OFF).eq_ignore_ascii_case("true")
        && let Some((plain, id)) = name.rsplit_once('-')
        && id.len() >= 8
        && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return plain;
    }
    if name.is_empty() { container.id.get(..SHORT).unwrap_or(&container.id) } else { name }
}

/// The id of the container that this process is in, from its `/proc/self/mountinfo`: engines mount a few files of their own
/// folder of the container into it.
pub(super) fn own(mountinfo: &str) -> Option<&str> {
    let mounted = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];
    mountinfo.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (from, to) = (fields.next()?, fields.next()?);
        let is_id = |part: &&str| part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        mounted.contains(&to).then(|| from.split('/').find(is_id))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn container(name: &str, labels: &[(&str, &str)]) -> Container {
        Container {
            id: ID.into(),
            name: name.into(),
            image: "shop:1".into(),
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..Container::default()
        }
    }

    #[test]
    fn labels_name_the_container_and_not_this_copy_of_it() {
        let own = BTreeMap::from([("job".to_owned(), "containers".to_owned())]);
        let shown = |container: &Container, settings| {
            let labels = labels(&own, "web-1", container, &settings);
            labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        let compose = container("shop-web-1", &[(PROJECT, "shop"), (SERVICE, "web")]);
        assert_eq!(
            shown(&compose, Settings::default()),
            "compose_project=shop compose_service=web container=shop-web-1 instance=web-1 job=containers \
             service_name=web"
        );
        let plain = "container=db instance=web-1 job=containers service_name=db";
        assert_eq!(shown(&container("db", &[]), Settings::default()), plain);
        let named = Settings { service: Some("store".into()), ..Settings::default() };
        assert!(shown(&compose, named).ends_with("service_name=store"));
        let told = metadata(&compose).iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>();
        assert_eq!(told, ["container_id=0123456789ab", "image=shop:1"]);
    }

    #[test]
    fn names_of_one_deployment_are_the_same_in_the_next() {
        for (full, labels, plain) in [
            ("shop-web-1", &[][..], "shop-web-1"),
            ("0123456789ab_shop-web-1", &[], "shop-web-1"),
            ("abcdef012345_shop-web-1", &[], "abcdef012345_shop-web-1"),
            ("web.1.x8f0", &[(SWARM_TASK, "x8f0")], "web.1"),
            ("shop-web-run-3f2a1b4c5d6e", &[(ONE_OFF, "True")], "shop-web-run"),
            ("shop-web-run-3f2a1b4c5d6e", &[], "shop-web-run-3f2a1b4c5d6e"),
            ("", &[], "0123456789ab"),
        ] {
            assert_eq!(name(&container(full, labels)), plain);
        }
    }

    #[test]
    fn the_own_container_is_known_by_what_its_engine_mounts() {
        let mounts = format!(
            "1 0 0:1 / / rw - overlay overlay rw\n2 1 8:1 /{ID}/x /data rw - ext4 /dev/sda1 rw\n\
             3 1 8:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n"
        );
        assert_eq!(own(&mounts), Some(ID));
        assert_eq!(
            own("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:5 /hosts /etc/hosts rw - x x rw\n"),
            None
        );
    }
}
