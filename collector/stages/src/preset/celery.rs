//! The log of Celery's workers: tasks by state, and how long they took.

use super::{Preset, counter, durations, first_line, label, metadata, meter, regex, template};

/// `[2026-11-21 15:00:00,123: INFO/ForkPoolWorker-1] Task shop.pay[…] succeeded in 0.5s: None`; the time says no zone.
const HEAD: &str = concat!(
    r"^\[(?P<time>\d{4}-\d\d-\d\d [\d:,]+): (?P<level>[A-Z]+)/[^\]]+\] ",
    r"(?:Task (?P<task>[\w.]+)\[(?P<task_id>[0-9a-f-]{36})\] ",
    r"(?P<state>received|succeeded|retry|raised|ignored|rejected)(?: in (?P<took>[0-9.e-]+s))?)?"
);

pub(super) fn preset() -> Result<Preset, String> {
    let states = ["received", "succeeded", "retry", "failed", "ignored", "rejected"];
    let stages = vec![
        regex(None, HEAD)?,
        template("state", r#"{{ .state | replace "raised" "failed" }}"#)?,
        meter([
            counter(
                "celery_log_tasks_total",
                "Tasks in the log of Celery's workers.",
                "state",
                vec![label("task", &[]), label("state", &states)],
            ),
            durations(
                "celery_log_task_duration_seconds",
                "How long tasks took, in the log of Celery's workers.",
                vec![label("task", &[])],
            ),
        ]),
        metadata(&["task", "task_id"]),
    ];
    Ok(Preset { join: first_line(r"^\[\d{4}-\d\d-\d\d ")?, stages })
}
