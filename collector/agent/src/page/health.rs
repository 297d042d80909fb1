//! What is wrong with the pipeline, in words: the page's first line.

use serde::Serialize;

use crate::status::{
    ExporterStatus, JobStatus, LogStatus, OutputStatus, Snapshot, SourceStatus, SubjectStatus,
};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `config`, `log`, `output`, `source`, `job`, `series` or `subject`.
    pub part: &'static str,
    /// The part's name, as in its row.
    pub name: String,
    /// What is wrong, and what happens next.
    pub text: String,
}

/// Problems of a job's discovery that are told one by one.
const PROBLEMS: usize = 3;
/// How long an output may lag before that is a problem although it delivers, in seconds.
const LAG_S: f64 = 120.0;

/// Everything that is wrong, the worst first: what loses data, what delivers nothing, what measures nothing.
pub fn problems(at: &Snapshot) -> Vec<Problem> {
    let mut found = Vec::new();
    if let Some(error) = &at.process.config_error {
        let text = format!("the new config was refused, the one before it goes on: {}", error.text);
        found.push(Problem { part: "config", name: at.process.config.clone().unwrap_or_default(), text });
    }
    let mut add = |part, name: String, texts: Vec<String>| {
        found.extend(texts.into_iter().map(|text| Problem { part, name: name.clone(), text }));
    };
    for log in &at.logs {
        add("log", log.name.to_owned(), of_log(log));
    }
    for output in &at.outputs {
        add("output", name_of(output.kind, &output.name), of_output(output));
    }
    for source in &at.sources {
        add("source", name_of(source.kind, &source.name), of_source(source));
    }
    for job in &at.jobs {
        add("job", job.name.clone(), of_job(job));
    }
    for excess in &at.over_budget {
        let of = if excess.all { "of all jobs" } else { &excess.job };
        add("series", of.to_owned(), vec![excess.text()]);
    }
    for exporter in &at.exporters {
        for subject in &exporter.subjects {
            add("subject", subject_name(exporter, subject), of_subject(subject, at.now_ms));
        }
    }
    found
}

/// `host/cpu`
fn subject_name(exporter: &ExporterStatus, subject: &SubjectStatus) -> String {
    format!("{}/{}", exporter.name, subject.name)
}

fn name_of(kind: &str, name: &str) -> String {
    if kind == name || kind.is_empty() { name.to_owned() } else { format!("{kind}/{name}") }
}

fn of_subject(subject: &SubjectStatus, now_ms: i64) -> Vec<String> {
    let silent_s = (now_ms - subject.last_run_ms) as f64 / 1000.0;
    if subject.late {
        return vec!["a run takes longer than its budget; the others go on without it".to_owned()];
    }
    if subject.last_run_ms == 0 {
        return vec![];
    }
    if !subject.ok {
        let why = subject.last_error.as_ref().map_or("no reason was given", |e| &e.text);
        return vec![format!("the last run failed: {why}")];
    }
    if subject.interval_s > subject.asked_s {
        return vec![format!(
            "is slow or costs too much: runs every {} instead of {} until it is quick again",
            span(subject.interval_s),
            span(subject.asked_s)
        )];
    }
    // One interval may be under way, and a run may take its time.
    if subject.interval_s > 0.0 && silent_s > 2.0 * subject.interval_s + 5.0 {
        return vec![format!(
            "has not run for {}, and should every {}",
            span(silent_s),
            span(subject.interval_s)
        )];
    }
    vec![]
}

fn of_source(source: &SourceStatus) -> Vec<String> {
    let mut found = Vec::new();
    if source.lost_bytes > 0 {
        found.push(format!("{} were lost since the start", bytes(source.lost_bytes)));
    }
    for (reason, messages) in &source.lost_messages {
        found.push(format!("{messages} messages were lost since the start ({reason})"));
    }
    if let Some(why) = &source.holding {
        found.push(format!("does not read: {why}"));
    }
    found
}

fn of_job(job: &JobStatus) -> Vec<String> {
    let mut found: Vec<String> =
        job.problems.iter().take(PROBLEMS).map(|problem| format!("discovery: {problem}")).collect();
    if let Some(more) = job.problems.len().checked_sub(PROBLEMS).filter(|more| *more > 0) {
        found.push(format!("discovery: {more} more problems; /api/v1/targets has them all"));
    }
    if let (down @ 1.., Some(example)) = (job.down, &job.example) {
        let all = job.up + job.down + job.unknown;
        let are = if down == 1 { "is down:" } else { "are down, among them" };
        found.push(format!("{down} of {all} targets {are} {example}"));
    }
    found
}

fn of_log(log: &LogStatus) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(why) = &log.blocked {
        found.push(format!("takes no records on disk, memory holds them as far as it goes: {why}"));
    }
    let lost = reasons(&log.dropped);
    if !lost.is_empty() {
        found.push(format!("records were given up since the start: {lost}"));
    }
    found
}

fn of_output(output: &OutputStatus) -> Vec<String> {
    let mut found = Vec::new();
    let lost = reasons(&output.lost);
    if !lost.is_empty() {
        let kept = match output.dead_letter_bytes {
            0 => "",
            _ => "; `taffrail spool dead list` shows what is kept of it",
        };
        found.push(format!("given up since the start: {lost}{kept}"));
    }
    if let Some(why) = &output.retrying {
        let wait = if output.lag_s >= 1.0 { format!(" for {}", span(output.lag_s)) } else { String::new() };
        found.push(format!("delivers nothing{wait}, and is tried again: {why}"));
    } else if output.lag_s > LAG_S + output.archive.as_ref().map_or(0.0, |archive| archive.every_s) {
        found.push(format!(
            "is {} behind, and catches up as fast as the receiver takes it",
            span(output.lag_s)
        ));
    }
    found
}

/// `12 too_old, 3 refused`; reasons that never happened are left out.
fn reasons(counts: &std::collections::BTreeMap<String, u64>) -> String {
    let happened = counts.iter().filter(|(_, n)| **n > 0);
    happened.map(|(reason, n)| format!("{n} {}", reason.replace('_', " "))).collect::<Vec<_>>().join(", ")
}

/// A time for people: `40 s`, `3 min`, `2.5 h`.
fn span(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{} s", (s * 10.0).round() / 10.0),
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// An amount for people: `512 B`, `1.2 MiB`.
fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut amount = n as f64;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{amount:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::status::Failure;

    const NOW: i64 = 1_000_000;

    fn subject(change: impl FnOnce(&mut SubjectStatus)) -> Snapshot {
        let mut subject = SubjectStatus {
            name: "cpu".into(),
            interval_s: 15.0,
            asked_s: 15.0,
            last_run_ms: NOW - 10_000,
            ok: true,
            ..Default::default()
        };
        change(&mut subject);
        let exporter = ExporterStatus { name: "host".into(), subjects: vec![subject], ..Default::default() };
        Snapshot { now_ms: NOW, exporters: vec![exporter], ..Default::default() }
    }

    fn texts(at: &Snapshot) -> Vec<String> {
        problems(at).into_iter().map(|p| format!("{} {}: {}", p.part, p.name, p.text)).collect()
    }

    #[test]
    fn a_healthy_pipeline_has_no_problems() {
        assert!(texts(&subject(|_| ())).is_empty());
        assert!(texts(&subject(|s| s.last_run_ms = 0)).is_empty(), "not yet is not never");
        let output = OutputStatus { kind: "loki", name: "loki".into(), lag_s: 3.0, ..Default::default() };
        let log = LogStatus { dropped: BTreeMap::from([("age".into(), 0)]), ..Default::default() };
        assert!(texts(&Snapshot { outputs: vec![output], logs: vec![log], ..Default::default() }).is_empty());
    }

    #[test]
    fn a_subject_that_fails_hangs_or_stays_away_is_said() {
        let failure = Failure { at_ms: NOW, text: "/proc/stat: permission denied".into() };
        let failed = subject(|s| (s.ok, s.last_error) = (false, Some(failure.clone())));
        assert_eq!(texts(&failed), ["subject host/cpu: the last run failed: /proc/stat: permission denied"]);
        assert_eq!(texts(&subject(|s| s.last_error = Some(failure))).len(), 0, "success forgives");
        assert!(texts(&subject(|s| s.late = true))[0].contains("longer than its budget"));
        let away = texts(&subject(|s| s.last_run_ms = NOW - 60_000));
        assert_eq!(away, ["subject host/cpu: has not run for 60 s, and should every 15 s"]);
        let slowed = texts(&subject(|s| s.interval_s = 30.0));
        assert!(slowed[0].contains("runs every 30 s instead of 15 s"), "{slowed:?}");
    }

    #[test]
    fn targets_that_are_down_are_counted_with_one_as_an_example() {
        let mut at = subject(|_| {});
        let job = |down, problems: &[&str]| JobStatus {
            name: "app".into(),
            up: 2,
            down,
            example: (down > 0).then(|| "http://a:1/metrics: connection refused".to_owned()),
            problems: problems.iter().map(|problem| (*problem).to_owned()).collect(),
            ..Default::default()
        };
        at.jobs = vec![job(0, &[])];
        assert!(texts(&at).is_empty());
        at.jobs = vec![job(1, &[])];
        assert_eq!(texts(&at), ["job app: 1 of 3 targets is down: http://a:1/metrics: connection refused"]);
        at.jobs = vec![job(3, &["a", "b", "c", "d", "e"])];
        let found = texts(&at);
        assert_eq!(found[0], "job app: discovery: a");
        assert_eq!(found[3], "job app: discovery: 2 more problems; /api/v1/targets has them all");
        assert_eq!(
            found[4],
            "job app: 3 of 5 targets are down, among them http://a:1/metrics: connection refused"
        );
    }

    #[test]
    fn loss_and_silence_downstream_come_first() {
        let mut at = subject(|s| s.late = true);
        at.outputs = vec![OutputStatus {
            kind: "loki",
            name: "audit".into(),
            lost: BTreeMap::from([("too_old".into(), 12)]),
            retrying: Some("connection refused".into()),
            lag_s: 200.0,
            ..Default::default()
        }];
        at.sources = vec![SourceStatus {
            name: "files".into(),
            kind: "files",
            lost_bytes: 1536,
            ..Default::default()
        }];
        at.logs = vec![LogStatus {
            name: "metrics",
            dropped: BTreeMap::from([("full".into(), 2)]),
            blocked: Some("/data: no space left".into()),
            ..Default::default()
        }];
        at.process.config = Some("taffrail.yml".into());
        at.process.config_error = Some(Failure { at_ms: NOW, text: "line 3".into() });
        assert_eq!(
            texts(&at),
            [
                "config taffrail.yml: the new config was refused, the one before it goes on: line 3",
                "log metrics: takes no records on disk, memory holds them as far as it goes: /data: no space left",
                "log metrics: records were given up since the start: 2 full",
                "output loki/audit: given up since the start: 12 too old",
                "output loki/audit: delivers nothing for 3 min, and is tried again: connection refused",
                "source files: 1.5 KiB were lost since the start",
                "subject host/cpu: a run takes longer than its budget; the others go on without it",
            ]
        );
    }
}
