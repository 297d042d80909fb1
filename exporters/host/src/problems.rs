//! What would keep the host's numbers from being the host's, said before the first run.

use std::path::Path;

use taffrail_core::CollectError;

use crate::config::HostConfig;
use crate::{filesystem, netclass, network};

/// A setting that does not lead to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting or the subject that it is about: `host.procfs`, `netdev`.
    pub what: &'static str,
    /// What is wrong, and what would be right.
    pub text: String,
}

/// Looks at the roots, and at what a container cannot see without them. Empty on a host with the usual settings.
///
/// Nothing here can hang: no mount is asked for its size.
pub fn problems(config: &HostConfig) -> Vec<Problem> {
    let mut problems = roots(config);
    if problems.is_empty() {
        type Check = fn(&HostConfig) -> Result<(), CollectError>;
        let checks: [(&'static str, Check); 3] = [
            ("filesystem", filesystem::check),
            ("netdev", |config| network::directory(config).map(|_| ())),
            ("netclass", netclass::shows_host),
        ];
        for (what, check) in checks {
            match check(config) {
                Err(error) if config.schedule(what).on && !matches!(error, CollectError::Absent) => {
                    problems.push(Problem { what, text: error.to_string() });
                }
                _ => {}
            }
        }
    }
    problems
}

fn roots(config: &HostConfig) -> Vec<Problem> {
    let expected: [(&'static str, &Path, &str, &str); 3] = [
        (
            "host.procfs",
            &config.procfs,
            "stat",
            "a procfs: mount the host's /proc there (-v /proc:/host/proc:ro)",
        ),
        (
            "host.sysfs",
            &config.sysfs,
            "devices",
            "a sysfs: mount the host's /sys there (-v /sys:/host/sys:ro)",
        ),
        ("host.rootfs", &config.rootfs, ".", "a directory: mount the host's / there (-v /:/host:ro,rslave)"),
    ];
    let missing = expected.into_iter().filter(|(_, root, entry, _)| !root.join(entry).exists());
    let problem = |(what, root, _, right): (_, &Path, _, _)| Problem {
        what,
        text: format!("`{what}: {}` is not {right}", root.display()),
    };
    missing.map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn roots_that_are_none_are_named() {
        let config = HostConfig { procfs: "/hots/proc".into(), ..HostConfig::default() };
        let problems = problems(&config);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].what, "host.procfs");
        assert!(
            problems[0].text.starts_with("`host.procfs: /hots/proc` is not a procfs: mount"),
            "{problems:?}"
        );
    }

    #[test]
    fn a_host_has_none_and_a_container_says_what_is_missing() {
        let case = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/typical");
        let mut config =
            HostConfig { procfs: case.join("proc"), sysfs: case.join("sys"), ..HostConfig::default() };
        assert_eq!(problems(&config), []);

        let other = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(other.path().join("class/net/eth9")).unwrap();
        std::fs::create_dir(other.path().join("devices")).unwrap();
        config.sysfs = other.path().into();
        let found = problems(&config);
        assert_eq!(found.iter().map(|problem| problem.what).collect::<Vec<_>>(), ["netclass"]);
        config.schedules.insert("netclass", crate::Schedule { on: false, ..crate::Schedule::default() });
        assert_eq!(problems(&config), []);
    }
}
