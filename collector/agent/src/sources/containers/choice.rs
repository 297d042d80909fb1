//! Which containers are read, as the configuration says.

use taffrail_container::inventory::Container;

use crate::config::{ContainerLogs, Which};
use crate::sources::like::like;

/// Whether the configuration wants what this container writes.
pub(super) fn wants(config: &ContainerLogs, container: &Container) -> bool {
    let all = config.include == Which::default();
    (all || fits(&config.include, container)) && !fits(&config.exclude, container)
}

fn fits(which: &Which, container: &Container) -> bool {
    let labelled = |(name, value): &(String, Option<String>)| {
        let has = container.labels.get(name);
        has.is_some_and(|has| value.as_ref().is_none_or(|value| like(value.as_bytes(), has.as_bytes())))
    };
    which.names.iter().any(|name| like(name.as_bytes(), container.name.as_bytes()))
        || which.labels.iter().any(labelled)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::Start;

    fn which(names: &[&str], labels: &[(&str, Option<&str>)]) -> Which {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)));
        Which { names: names.iter().map(|name| (*name).to_owned()).collect(), labels: labels.collect() }
    }

    #[test]
    fn what_is_included_and_not_excluded() {
        let container = Container {
            name: "shop-web-1".into(),
            labels: [("team".to_owned(), "red/blue".to_owned())].into(),
            ..Container::default()
        };
        let wanted = |include, exclude| {
            let (start, rootfs) = (Start::Beginning, PathBuf::from("/"));
            let config =
                ContainerLogs { engine: None, rootfs, include, exclude, start, max_line_bytes: 1024 };
            wants(&config, &container)
        };
        assert!(wanted(which(&[], &[]), which(&[], &[])));
        assert!(wanted(which(&["shop-*"], &[]), which(&["*-db-?"], &[])));
        assert!(wanted(which(&["x"], &[("team", None)]), which(&[], &[("team", Some("blue"))])));
        assert!(!wanted(which(&["shop"], &[]), which(&[], &[])));
        assert!(!wanted(which(&[], &[]), which(&[], &[("team", Some("red*"))])));
        assert!(!wanted(which(&["shop-web-?"], &[]), which(&["*"], &[])));
    }
}
