//! `outputs.loki`: receivers, what they take, and how much of what they refuse is kept.

use std::time::Duration;

use super::{Checker, bounds};
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::{Base2Size, Size};
use crate::config::valid::{LokiLimits, LokiOutput};
use crate::config::written::{self, Output, Outputs};
use crate::outputs::check_tenant;
use crate::outputs::dead::DeadBounds;

/// The shortest line that lines may be cut to: the mark has to fit, with something before it.
const LINE: usize = 256;
/// The bounds of `dead_letters.max_bytes`, but for 0.
const DEAD: std::ops::RangeInclusive<usize> = 1 << 20..=64 << 30;
/// The bounds of `max_tenants`: each has a cursor, and reads the log.
const TENANTS: std::ops::RangeInclusive<u64> = 1..=100;
/// The most mebibytes a second that make sense.
const RATE_MB: f64 = 100_000.0;

impl Checker<'_> {
    pub(super) fn loki(&mut self, outputs: Option<&Outputs>) -> Vec<LokiOutput> {
        let all = outputs.map(|outputs| self.receivers("loki", &outputs.loki, "/loki/api/v1/push"));
        let mut receivers = Vec::new();
        for (receiver, output) in all.into_iter().flatten() {
            let others = [
                ("version", output.version.span()),
                ("write_relabel_configs", output.write_relabel_configs.span()),
                ("max_shards", output.max_shards.span()),
                ("out_of_order", output.out_of_order.span()),
            ];
            for (key, at) in others.into_iter().filter_map(|(key, at)| Some((key, at?))) {
                self.fault(at, format!("Loki's push has no `{key}`"), "remove it");
            }
            if let Some((at, tenant)) = output.tenant.good()
                && let Err(problem) = check_tenant(&tenant.0)
            {
                self.fault(at, problem, "write the name that the receiver knows");
            }
            receivers.push(LokiOutput {
                receiver,
                tenant: output.tenant.get().map(|tenant| tenant.0.clone()),
                tenant_label: output.tenant_label.get().map(|label| label.0.clone()),
                max_tenants: self.max_tenants(output),
                limits: self.loki_limits(output),
                dead_letters: self.dead_letters(output),
            });
        }
        receivers
    }

    fn max_tenants(&mut self, output: &Output) -> usize {
        let most = output.max_tenants.get().copied().unwrap_or(defaults::MAX_TENANTS);
        if let Some(at) = output.max_tenants.span().filter(|_| !TENANTS.contains(&most)) {
            let help = format!("between {} and {}", TENANTS.start(), TENANTS.end());
            self.fault(at, format!("{most} is out of bounds"), help);
        }
        if let Some(at) = output.max_tenants.span().filter(|_| output.tenant_label.span().is_none()) {
            self.fault(
                at,
                "`max_tenants` does nothing without `tenant_label`",
                "add it, or remove `max_tenants`",
            );
        }
        most as usize
    }

    fn loki_limits(&mut self, output: &Output) -> LokiLimits {
        let none = written::LokiLimits::default();
        let limits = output.limits.get().unwrap_or(&none);
        let line = size(&limits.max_line_size, 256 << 10);
        if let Some(at) = limits.max_line_size.span().filter(|_| line < LINE) {
            self.fault(at, format!("{line} bytes are out of bounds"), format!("{LINE} or more, or 0"));
        }
        let at_least_one = [
            &limits.max_label_names_per_series,
            &limits.max_label_name_length,
            &limits.max_label_value_length,
        ];
        for field in at_least_one {
            if let Some(at) = field.span().filter(|_| field.get() == Some(&0)) {
                self.fault(at, "0 is out of bounds: no stream could be sent", "1 or more");
            }
        }
        let age = bounds(Duration::from_secs(60), Duration::from_secs(3650 * 86_400));
        let age = self.duration(&limits.reject_old_samples_max_age, defaults::LOKI_MAX_AGE, &age);
        let old = limits.reject_old_samples.get().copied().unwrap_or(true);
        if let Some(at) =
            limits.ingestion_burst_size_mb.span().filter(|_| limits.ingestion_rate_mb.span().is_none())
        {
            let help = "add `ingestion_rate_mb`, or remove it";
            self.fault(at, "`ingestion_burst_size_mb` does nothing without `ingestion_rate_mb`", help);
        }
        LokiLimits {
            label_names: count(&limits.max_label_names_per_series, 15),
            label_name: count(&limits.max_label_name_length, 1024),
            label_value: count(&limits.max_label_value_length, 2048),
            line,
            allow_metadata: limits.allow_structured_metadata.get().copied().unwrap_or(true),
            metadata: size(&limits.max_structured_metadata_size, 64 << 10),
            metadata_pairs: match count(&limits.max_structured_metadata_entries_count, 128) {
                0 => usize::MAX,
                most => most,
            },
            max_age: old.then_some(age),
            streams: count(&limits.max_global_streams_per_user, 5000),
            stream_rate: size(&limits.per_stream_rate_limit, 3 << 20) as u64,
            stream_burst: size(&limits.per_stream_rate_limit_burst, 15 << 20) as u64,
            rate: self.mebibytes(&limits.ingestion_rate_mb),
            burst: self.mebibytes(&limits.ingestion_burst_size_mb),
        }
    }

    fn mebibytes(&mut self, field: &Field<f64>) -> Option<u64> {
        let (at, number) = field.good()?;
        if !(*number > 0.0 && *number <= RATE_MB) {
            self.fault(at, format!("{number} is out of bounds"), "more than 0, such as 4");
            return None;
        }
        Some((number * f64::from(1 << 20)) as u64)
    }

    fn dead_letters(&mut self, output: &Output) -> DeadBounds {
        let none = written::DeadLetters::default();
        let letters = output.dead_letters.get().unwrap_or(&none);
        let Size(default) = Size::parse(defaults::DEAD_BYTES).unwrap_or(Size(*DEAD.start()));
        let bytes = letters.max_bytes.get().map_or(default, |size| size.0);
        if let Some(at) = letters.max_bytes.span().filter(|_| bytes != 0 && !DEAD.contains(&bytes)) {
            self.fault(
                at,
                format!("{bytes} bytes are out of bounds"),
                "between 1MiB and 64GiB, or 0 to keep none",
            );
        }
        let age = bounds(Duration::from_secs(3600), Duration::from_secs(365 * 86_400));
        let max_age = self.duration(&letters.max_age, defaults::DEAD_AGE, &age);
        DeadBounds { max_bytes: bytes as u64, max_age }
    }
}

fn count(field: &Field<u64>, default: usize) -> usize {
    field.get().map_or(default, |count| usize::try_from(*count).unwrap_or(usize::MAX))
}

/// A size; 0 is no bound.
fn size(field: &Field<Base2Size>, default: usize) -> usize {
    match field.get().map_or(default, |size| size.0) {
        0 => usize::MAX,
        size => size,
    }
}
