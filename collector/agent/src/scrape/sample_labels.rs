//! The labels of a scraped series: what the page says, what is known of the target, and what relabelling makes of them.

use taffrail_wire::relabel::{self, Labels};

use super::job::{Job, Limits};

const NAME: &str = "__name__";

/// The labels of a series that the page calls `exposed`, or `None` if a rule drops it. An error is one of the whole page.
pub fn of_sample(exposed: &[(&str, &str)], target: &Labels, job: &Job) -> Result<Option<Labels>, String> {
    let mut labels = merge(exposed, target, job.honor_labels);
    if !relabel::apply(&job.metric_relabel, &mut labels) || labels.is_empty() {
        return Ok(None);
    }
    if labels.get(NAME).is_empty() {
        return Err(format!("a series has no name after relabelling: {labels}"));
    }
    let names = job.formats.names;
    if !names.accept_metric(labels.get(NAME)) {
        return Err(format!("metric_name_validation_scheme: the name of {labels} is not a valid one"));
    }
    if let Some((name, _)) = labels.iter().find(|(name, _)| !names.accept(name)) {
        return Err(format!("metric_name_validation_scheme: `{name}` is not a valid label name: {labels}"));
    }
    check(&labels, &job.limits)?;
    Ok(Some(external(labels, job)))
}

/// The labels of a series of our own about the target: `up` and the like.
pub fn of_report(name: &str, target: &Labels, job: &Job) -> Labels {
    let mut labels = target.clone();
    labels.set(NAME, name);
    external(labels, job)
}

/// Adds what is added to all that is pushed.
fn external(mut labels: Labels, job: &Job) -> Labels {
    for (name, value) in &job.labels {
        if labels.get(name).is_empty() {
            labels.set(name, value);
        }
    }
    labels
}

/// What both know stands as the target has it; what the page says then is kept under `exported_`, unless it is honoured.
///
/// A label that the page gives an empty value is honoured too: it is how a gateway says that its series have no instance.
fn merge(exposed: &[(&str, &str)], target: &Labels, honor: bool) -> Labels {
    let mut labels: Labels = exposed.iter().copied().collect();
    let mut conflicts = Vec::new();
    for (name, value) in target.iter() {
        let own = labels.get(name);
        if own.is_empty() {
            if !honor || !exposed.iter().any(|(exposed, _)| *exposed == name) {
                labels.set(name, value);
            }
        } else if !honor {
            conflicts.push((name.to_owned(), own.to_owned()));
            labels.set(name, value);
        }
    }
    // Shorter names first, as they are the ones that others may be renamed to.
    conflicts.sort_by_key(|(name, _)| name.len());
    for (name, value) in conflicts {
        let mut exported = format!("exported_{name}");
        while !labels.get(&exported).is_empty() {
            exported.insert_str(0, "exported_");
        }
        labels.set(&exported, &value);
    }
    labels
}

fn check(labels: &Labels, limits: &Limits) -> Result<(), String> {
    let over = |limit: usize, value: usize| limit > 0 && value > limit;
    if over(limits.labels, labels.len()) {
        return Err(format!("label_limit ({}) exceeded: {} labels, {labels}", limits.labels, labels.len()));
    }
    for (name, value) in labels.iter() {
        if over(limits.label_name_bytes, name.len()) {
            let (limit, len) = (limits.label_name_bytes, name.len());
            return Err(format!(
                "label_name_length_limit ({limit}) exceeded: `{name}` has {len} bytes, {labels}"
            ));
        }
        if over(limits.label_value_bytes, value.len()) {
            let (limit, len) = (limits.label_value_bytes, value.len());
            return Err(format!(
                "label_value_length_limit ({limit}) exceeded: the value of `{name}` has {len} bytes, {labels}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::job::tests::job;
    use super::*;

    const EXPOSED: [(&str, &str); 3] = [(NAME, "a"), ("instance", "own"), ("x", "1")];

    fn after(exposed: &[(&str, &str)], change: impl FnOnce(&mut Job)) -> Result<Option<String>, String> {
        let target: Labels = [("instance", "i:1"), ("job", "j")].into_iter().collect();
        let mut job = job("j");
        change(&mut job);
        of_sample(exposed, &target, &job).map(|labels| labels.map(|labels| labels.to_string()))
    }

    #[test]
    fn the_target_knows_better_unless_the_page_is_honoured() {
        assert_eq!(
            after(&EXPOSED, |_| {}).unwrap().unwrap(),
            r#"{__name__="a", exported_instance="own", instance="i:1", job="j", x="1"}"#
        );
        assert_eq!(
            after(&EXPOSED, |job| job.honor_labels = true).unwrap().unwrap(),
            r#"{__name__="a", instance="own", job="j", x="1"}"#
        );
        let twice = [(NAME, "a"), ("instance", "own"), ("exported_instance", "older")];
        assert_eq!(
            after(&twice, |_| {}).unwrap().unwrap(),
            r#"{__name__="a", exported_exported_instance="own", exported_instance="older", instance="i:1", job="j"}"#
        );
    }

    #[test]
    fn a_gateway_may_say_that_there_is_no_instance() {
        let gateway = [(NAME, "a"), ("instance", "")];
        let honoured = after(&gateway, |job| job.honor_labels = true).unwrap().unwrap();
        assert_eq!(honoured, r#"{__name__="a", job="j"}"#);
        assert_eq!(after(&gateway, |_| {}).unwrap().unwrap(), r#"{__name__="a", instance="i:1", job="j"}"#);
    }

    #[test]
    fn limits_fail_the_page() {
        let error = |change: fn(&mut Job)| after(&EXPOSED, change).unwrap_err();
        assert!(error(|job| job.limits.labels = 4).starts_with("label_limit (4) exceeded: 5 labels"));
        assert!(error(|job| job.limits.label_name_bytes = 8).contains("`exported_instance` has 17 bytes"));
        assert!(error(|job| job.limits.label_value_bytes = 2).contains("exceeded: the value of"));
        assert!(after(&EXPOSED, |job| job.limits.labels = 5).is_ok());
        assert!(after(&[("x", "1")], |_| {}).unwrap_err().starts_with("a series has no name"));
    }
}
