//! Targets: what discovery finds, with labels before and after relabelling.

use std::collections::BTreeMap;
use std::time::Duration;

use taffrail_wire::relabel::{self, Labels};

use super::job::Job;
use crate::config::{Interval, show_duration};

const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const PATH: &str = "__metrics_path__";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const PARAM: &str = "__param_";
const META: &str = "__meta_";
/// What begins like this is not a label of the target's series.
const RESERVED: &str = "__";

/// Targets that were found together, and labels that all of them have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The labels of each, `__address__` among them.
    pub targets: Vec<Labels>,
    /// Labels that a target has unless it says otherwise.
    pub labels: Labels,
    /// Where it comes from, unique among the groups of its job: a file and a place in it, a URL, a name.
    pub source: String,
}

/// A target to scrape.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// Labels of its series, `job` and `instance` among them.
    pub labels: Labels,
    /// What is asked.
    pub url: String,
    /// How often.
    pub interval: Duration,
    /// How long it may take.
    pub timeout: Duration,
}

/// What became of something that discovery found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The labels before relabelling.
    pub discovered: Labels,
    /// The target, nothing where a rule dropped it, or why it cannot be one.
    pub target: Result<Option<Target>, String>,
}

impl Found {
    /// Makes a target of `group` one of `job`.
    pub fn new(job: &Job, target: &Labels, group: &Labels) -> Self {
        let discovered = discovered(job, target, group);
        let mut labels = discovered.clone();
        let target = match relabel::apply(&job.relabel, &mut labels) {
            true => finish(job, labels).map(Some),
            false => Ok(None),
        };
        Found { discovered, target }
    }
}

/// The labels before relabelling: the target's, its group's, and what the job says where neither does.
fn discovered(job: &Job, target: &Labels, group: &Labels) -> Labels {
    let mut labels = target.clone();
    let mut default = |name: &str, value: &str| {
        if labels.get(name).is_empty() {
            labels.set(name, value);
        }
    };
    group.iter().for_each(|(name, value)| default(name, value));
    default("job", &job.name);
    default(INTERVAL, &show_duration(job.interval));
    default(TIMEOUT, &show_duration(job.timeout));
    default(PATH, &job.path);
    default(SCHEME, &job.scheme);
    for (name, values) in &job.params {
        if let Some(first) = values.first() {
            default(&format!("{PARAM}{name}"), first);
        }
    }
    labels
}

fn finish(job: &Job, mut labels: Labels) -> Result<Target, String> {
    let address = labels.get(ADDRESS).to_owned();
    if address.is_empty() {
        return Err(format!("it has no `{ADDRESS}` after relabelling"));
    }
    if address.contains('/') {
        return Err(format!(
            "`{address}` is not an address: write host:port, and the path as `metrics_path`"
        ));
    }
    let time = |name: &str| {
        let text = labels.get(name);
        let parsed = Interval::parse(text).ok().map(|interval| interval.0).filter(|time| !time.is_zero());
        parsed.ok_or_else(|| format!("`{name}` is `{text}` after relabelling: write a duration such as 15s"))
    };
    let (interval, timeout) = (time(INTERVAL)?, time(TIMEOUT)?);
    if timeout > interval {
        let (timeout, interval) = (show_duration(timeout), show_duration(interval));
        return Err(format!("the timeout ({timeout}) is longer than the interval ({interval})"));
    }
    let url = url(job, &labels, &address);
    labels.retain(|name| !name.starts_with(META));
    if labels.get("instance").is_empty() {
        labels.set("instance", &address);
    }
    labels.retain(|name| !name.starts_with(RESERVED));
    Ok(Target { labels, url, interval, timeout })
}

fn url(job: &Job, labels: &Labels, address: &str) -> String {
    let mut params: BTreeMap<&str, Vec<&str>> =
        job.params.iter().map(|(name, values)| (&**name, values.iter().map(|v| &**v).collect())).collect();
    for (name, value) in labels.iter() {
        let Some(name) = name.strip_prefix(PARAM) else { continue };
        let values = params.entry(name).or_default();
        match values.first_mut() {
            Some(first) => *first = value,
            None => values.push(value),
        }
    }
    let query: Vec<String> = params
        .iter()
        .flat_map(|(name, values)| values.iter().map(|v| format!("{}={}", escape(name), escape(v))))
        .collect();
    let (scheme, path) = (labels.get(SCHEME), labels.get(PATH));
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{scheme}://{address}{slash}{}{mark}{}", escape_path(path), query.join("&"))
}

/// A query's name or value, as `application/x-www-form-urlencoded` has it.
pub(super) fn escape(text: &str) -> String {
    encode(text, |byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)).replace("%20", "+")
}

fn escape_path(path: &str) -> String {
    encode(path, |byte| byte.is_ascii_alphanumeric() || b"-_.~/$&+,:;=@".contains(&byte))
}

fn encode(text: &str, stays: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if stays(byte) {
            encoded.push(byte as char);
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use taffrail_wire::relabel::{Names, Rule, Written};

    use super::super::job::tests::job;
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().copied().collect()
    }

    fn replace(source: &str, target: &str) -> Rule {
        let written = Written {
            source_labels: Some(vec![source.into()]),
            target_label: Some(target.into()),
            ..Written::default()
        };
        Rule::new(&written, Names::Utf8).unwrap()
    }

    #[test]
    fn defaults_are_filled_in_and_meta_labels_go() {
        let mut job = job("app");
        job.params = [("module".to_owned(), vec!["a b".to_owned(), "c".to_owned()])].into();
        job.relabel = vec![replace("__meta_zone", "zone")];
        let group = labels(&[("env", "test"), ("team", "none")]);
        let found =
            Found::new(&job, &labels(&[(ADDRESS, "a:1"), ("__meta_zone", "z1"), ("team", "shop")]), &group);
        assert_eq!(
            found.discovered.to_string(),
            r#"{__address__="a:1", __meta_zone="z1", __metrics_path__="/metrics", __param_module="a b", "#
                .to_owned()
                + r#"__scheme__="http", __scrape_interval__="15s", __scrape_timeout__="10s", env="test", "#
                + r#"job="app", team="shop"}"#
        );
        let target = found.target.unwrap().unwrap();
        let expected = r#"{env="test", instance="a:1", job="app", team="shop", zone="z1"}"#;
        assert_eq!(target.labels.to_string(), expected);
        assert_eq!(target.url, "http://a:1/metrics?module=a+b&module=c");
        assert_eq!((target.interval, target.timeout), (job.interval, job.timeout));
    }

    #[test]
    fn rules_choose_what_is_asked() {
        let mut job = job("probe");
        job.relabel = vec![
            replace(ADDRESS, "__param_target"),
            replace("__param_target", "instance"),
            replace("__at", ADDRESS),
            replace("__every", INTERVAL),
        ];
        let probed = labels(&[(ADDRESS, "https://shop/ü"), ("__at", "[::1]:9115"), ("__every", "1m")]);
        let target = Found::new(&job, &probed, &Labels::default()).target.unwrap().unwrap();
        assert_eq!(target.url, "http://[::1]:9115/metrics?target=https%3A%2F%2Fshop%2F%C3%BC");
        assert_eq!(target.labels.get("instance"), "https://shop/ü");
        assert_eq!(target.interval, Duration::from_secs(60));
    }

    #[test]
    fn what_cannot_be_a_target_says_why() {
        let job = job("app");
        for (pairs, expected) in [
            (&[("x", "y")][..], "no `__address__`"),
            (&[(ADDRESS, "http://a:1/metrics")], "is not an address"),
            (&[(ADDRESS, "a:1"), (INTERVAL, "often")], "`__scrape_interval__` is `often`"),
            (&[(ADDRESS, "a:1"), (TIMEOUT, "0s")], "`__scrape_timeout__` is `0s`"),
            (&[(ADDRESS, "a:1"), (TIMEOUT, "1m")], "the timeout (1m) is longer than the interval (15s)"),
        ] {
            let error = Found::new(&job, &labels(pairs), &Labels::default()).target.unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
