//! Whether a receiver takes samples out of order, asked with a series that nobody misses: a sample of now, then one that
//! is older than the whole backlog. If the second is stored, so will be what waits.

use std::time::Duration;

use taffrail_wire::relabel::{Labels, Rule, apply};
use taffrail_wire::remote_write::MetricKind;
use tracing::info;

use super::super::deliver::{Delivery, Window};
use super::super::verdict::{Fate, OUT_OF_ORDER, Verdict};
use super::Prometheus;
use super::batch::Batch;
use super::relabel::alone;
use crate::config::OutOfOrder;
use crate::metrics::Identity;
use crate::own::WINDOW_PROBE;

/// A sample may be older than its record, and the backlog grows older while it is sent.
const MARGIN: Duration = Duration::from_secs(60);

/// The labels of the series that is asked with; none where the config's own rules drop it.
pub(super) fn probe_labels(output: &str, rules: &[Rule], identity: &Identity) -> Option<Labels> {
    let mut labels: Labels = identity.labels().collect();
    labels.set("__name__", WINDOW_PROBE.metric().name);
    labels.set("kind", "prometheus");
    labels.set("output", output);
    (apply(rules, &mut labels) && !labels.is_empty()).then_some(labels)
}

impl Prometheus {
    pub(super) async fn ask_window(&mut self, age: Duration) -> Window {
        match self.settings.out_of_order {
            OutOfOrder::Off => return Window::Closed,
            OutOfOrder::On => return Window::Open,
            OutOfOrder::Auto => {}
        }
        let Some(labels) = self.settings.probe.clone() else { return Window::Closed };
        let now_ms = self.clock.now_ms();
        let back = age + age / 4 + MARGIN;
        let back_ms = i64::try_from(back.as_millis()).unwrap_or(i64::MAX);
        let help = WINDOW_PROBE.metric().help;
        for ts_ms in [now_ms, now_ms.saturating_sub(back_ms)] {
            let Some((table, series)) = alone(&labels, MetricKind::Gauge, help) else {
                return Window::Closed;
            };
            let window = self.ask(&Batch::of_one(table, series, back.as_secs_f64(), ts_ms)).await;
            if window != Window::Open {
                if window == Window::Closed {
                    let seconds = back.as_secs();
                    info!(output = %self.settings.name, seconds, "the receiver takes nothing that old out of order");
                }
                return window;
            }
        }
        Window::Open
    }

    async fn ask(&mut self, batch: &Batch) -> Window {
        // Once more where the receiver wants an older version.
        for _ in 0..2 {
            match self.send(batch, Fate::NotStored).await.0 {
                Verdict::Done => return Window::Open,
                Verdict::Downgrade { .. } => {}
                Verdict::Partial { reason: OUT_OF_ORDER, .. }
                | Verdict::Reject { reason: OUT_OF_ORDER, .. } => {
                    return Window::Closed;
                }
                Verdict::Retry { .. } => return Window::Unknown,
                _ => return Window::Closed,
            }
        }
        Window::Unknown
    }
}
