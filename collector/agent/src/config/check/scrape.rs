//! `global` and `scrape_configs`: defaults as Prometheus has them, rules that compile, files that are there.

use std::time::Duration;

use taffrail_wire::relabel::{self, Names, Rule};

use super::{Checker, bounds};
use crate::config::defaults::{self, FOLD_KEEP};
use crate::config::field::Field;
use crate::config::scalar::{Base2Size, Size};
use crate::config::written::Written;
use crate::config::written::scrape::{self as written, Global, Relabel, Validation};
use crate::metrics::cardinality::JOB_BUDGET;
use crate::scrape::job::{DEFAULT_BODY_BYTES, Fold, Job, Limits};
use crate::scrape::room;

/// What `scrape_memory` may be: less would let no page of an ordinary size come.
const MEMORY: std::ops::RangeInclusive<usize> = 1 << 20..=1 << 40;

impl Checker<'_> {
    pub(super) fn scrape(&mut self, written: &Written, interval: Duration) -> Vec<Job> {
        let none = Global::default();
        let global = written.global.get().unwrap_or(&none);
        let (mut jobs, mut names) = (Vec::new(), Vec::new());
        for (at, job) in written.scrape_configs.get().into_iter().flatten().filter_map(Field::good) {
            let Some((name_at, name)) = job.job_name.good() else {
                if matches!(job.job_name, Field::Absent) {
                    self.fault(at, "the job has no `job_name`", "add job_name: …");
                }
                continue;
            };
            self.unique("scrape jobs", &name.0, Some(name_at), &mut names);
            jobs.push(self.job(&name.0, job, global, interval));
        }
        jobs
    }

    /// Bytes of pages that may be held before they are read.
    pub(super) fn scrape_memory(&mut self, field: &Field<Size>) -> usize {
        let bytes = field.get().map_or(room::DEFAULT, |size| size.0);
        if let Some(at) = field.span().filter(|_| !MEMORY.contains(&bytes)) {
            self.fault(at, format!("{bytes} bytes are out of bounds"), "between 1MiB and 1024GiB");
        }
        bytes
    }

    /// The patterns of files that hold some of the jobs.
    pub(super) fn more_files(&mut self, written: &Written) -> Vec<String> {
        let patterns = written.scrape_config_files.get().into_iter().flatten().filter_map(Field::good);
        let servers = written.postgres.get().into_iter().flatten().filter_map(Field::get);
        let queries = servers.filter_map(|server| server.query_files.get()).flatten().filter_map(Field::good);
        let patterns = patterns.chain(queries);
        patterns.map(|(at, pattern)| self.path(at, pattern).display().to_string()).collect()
    }

    fn job(&mut self, name: &str, job: &written::Job, global: &Global, interval: Duration) -> Job {
        let (interval, timeout) = self.times(job, global, interval);
        let names = job.metric_name_validation_scheme.get().or(global.metric_name_validation_scheme.get());
        let names = if names == Some(&Validation::Legacy) { Names::Legacy } else { Names::Utf8 };
        let count = |own: &Field<u64>, all: &Field<u64>| {
            let own = own.get().copied().filter(|count| *count > 0);
            own.or(all.get().copied()).unwrap_or(0) as usize
        };
        let bytes = |size: &Field<Base2Size>| size.get().map(|size| size.0 as u64);
        let body = bytes(&job.body_size_limit).filter(|bytes| *bytes > 0);
        let limits = Limits {
            samples: count(&job.sample_limit, &global.sample_limit),
            labels: count(&job.label_limit, &global.label_limit),
            label_name_bytes: count(&job.label_name_length_limit, &global.label_name_length_limit),
            label_value_bytes: count(&job.label_value_length_limit, &global.label_value_length_limit),
            body_bytes: body.or(bytes(&global.body_size_limit)).unwrap_or(DEFAULT_BODY_BYTES),
        };
        Job {
            name: name.to_owned(),
            interval,
            timeout,
            path: job.metrics_path.get().map_or("/metrics", |path| &path.0).to_owned(),
            scheme: if job.scheme.get() == Some(&written::Scheme::Https) { "https" } else { "http" }
                .to_owned(),
            params: job.params.get().cloned().unwrap_or_default(),
            honor_labels: job.honor_labels.get().copied().unwrap_or(false),
            honor_timestamps: job.honor_timestamps.get().copied().unwrap_or(true),
            track_timestamps_staleness: job.track_timestamps_staleness.get().copied().unwrap_or(false),
            // What is added to all that is pushed is known when everything has been read.
            labels: std::collections::BTreeMap::new(),
            limits,
            relay: job.relay.get().or(global.relay.get()).copied().unwrap_or(false),
            fold: self.fold(job),
            series_budget: job
                .series_budget
                .get()
                .filter(|series| **series > 0)
                .or(global.series_budget.get())
                .map_or(JOB_BUDGET, |series| *series as usize),
            target_limit: count(&job.target_limit, &global.target_limit),
            keep_dropped_targets: count(&job.keep_dropped_targets, &global.keep_dropped_targets),
            formats: self.formats(job, global, names),
            compression: job.enable_compression.get().copied().unwrap_or(true),
            http: self.http(job.http()),
            relabel: self.rules(&job.relabel_configs, names),
            metric_relabel: self.rules(&job.metric_relabel_configs, names),
            discovery: self.discovery(name, job),
        }
    }

    /// Labels that are folded, each once.
    fn fold(&mut self, job: &written::Job) -> Vec<Fold> {
        let mut folds: Vec<Fold> = Vec::new();
        for (at, fold) in job.fold.get().into_iter().flatten().filter_map(Field::good) {
            let Some((label_at, label)) = fold.label.good() else {
                if matches!(fold.label, Field::Absent) {
                    self.fault(at, "no `label` is named", "add label: …, whose values are too many");
                }
                continue;
            };
            if matches!(label.0.as_str(), "le" | "quantile" | "job" | "instance") {
                let what = format!("`{}` cannot be folded", label.0);
                self.fault(label_at, what, "name a label of the application's own, such as a user or a path");
            }
            if folds.iter().any(|known| known.label == label.0) {
                self.fault(label_at, format!("`{}` is folded already", label.0), "name each label once");
            }
            let keep = fold.keep.get().copied().unwrap_or(FOLD_KEEP) as usize;
            folds.push(Fold { label: label.0.clone(), keep });
        }
        folds
    }

    fn times(&mut self, job: &written::Job, global: &Global, interval: Duration) -> (Duration, Duration) {
        let limits = bounds(Duration::from_millis(1), Duration::from_secs(366 * 86_400));
        let written = [&job.scrape_interval, &global.scrape_interval];
        let interval = match written.into_iter().find(|field| !matches!(field, Field::Absent)) {
            Some(field) => self.duration(field, defaults::INTERVAL, &limits),
            None => interval,
        };
        if let Some((at, timeout)) = job.scrape_timeout.good() {
            if timeout.0 > interval {
                let what = "the timeout is longer than the interval";
                self.fault(at, what, "a scrape has to end before the next one begins");
            }
            return (interval, self.duration(&job.scrape_timeout, defaults::SCRAPE_TIMEOUT, &limits));
        }
        let timeout = self.duration(&global.scrape_timeout, defaults::SCRAPE_TIMEOUT, &limits);
        (interval, timeout.min(interval))
    }

    pub(super) fn rules(&mut self, rules: &Field<Vec<Field<Relabel>>>, names: Names) -> Vec<Rule> {
        let mut valid = Vec::new();
        for (at, rule) in rules.get().into_iter().flatten().filter_map(Field::good) {
            let as_written = relabel::Written {
                source_labels: rule.source_labels.get().cloned(),
                separator: rule.separator.get().cloned(),
                regex: rule.regex.get().cloned(),
                modulus: rule.modulus.get().copied(),
                target_label: rule.target_label.get().cloned(),
                replacement: rule.replacement.get().cloned(),
                action: rule.action.get().cloned(),
            };
            match Rule::new(&as_written, names) {
                Ok(rule) => valid.push(rule),
                Err(error) => {
                    let field = match error.field() {
                        "regex" => rule.regex.span(),
                        "target_label" => rule.target_label.span(),
                        "replacement" => rule.replacement.span(),
                        "separator" => rule.separator.span(),
                        "modulus" => rule.modulus.span(),
                        "source_labels" => rule.source_labels.span(),
                        _ => rule.action.span(),
                    };
                    self.fault(
                        field.unwrap_or(at),
                        error.to_string(),
                        "a rule is checked as Prometheus does",
                    );
                }
            }
        }
        valid
    }
}
