//! The log of Celery's workers: tasks by state, and how long they took.

use super::{Preset, counter, durations, first_line, label, metadata, meter, regex, template};

/// `[2026-11-21 15:00:00,123: INFO/ForkPoolWorker-1] Task shop.pay[…] succeeded in 0.5s: None`; the time says no zone.
const HEAD: &str = concat!(
    r"^\[(?P<time>\d{4}-\d\d-\d\d [\d:,]+): (?P<level>[A-Z]+)/[^\]]+\] ",
    r"(?:Task (?P<task>[^\s\[\]]+)\[(?P<task_id>[^\]]+)\] ",
    r"(?P<state>received|succeeded|retry|raised|ignored|reject)\b(?: in (?P<took>[0-9.e-]+s))?",
    r"|(?P<other>(?:Discarding|Received|Hard time limit|Terminating|Task handler raised) [^\n]*))?"
);

/// How tasks end of which the main process tells in words of its own. It does not always say which task it was.
const ENDS: [&str; 5] = [
    r"^Discarding (?P<state>revoked) task: (?P<task>[^\s\[\]]+)\[(?P<task_id>[^\]]+)\]",
    r"^Received (?P<state>unregistered) task of type '(?P<task>[^']+)'",
    r"^Hard time (?P<state>limit) \S+ exceeded for (?P<task>[^\s\[\]]+)\[(?P<task_id>[^\]]+)\]",
    r"^(?P<state>Terminating) (?P<task_id>\S+) ",
    r"^Task handler raised error: \W?(?P<state>WorkerLost)Error",
];

/// States as they are counted, by words of the log.
const STATES: &str = concat!(
    r#"{{ .state | replace "raised" "failed" | replace "limit" "failed" | replace "WorkerLost" "failed""#,
    r#" | replace "Terminating" "revoked" | replace "reject" "rejected" }}"#
);

pub(super) fn preset() -> Result<Preset, String> {
    let states =
        ["received", "succeeded", "retry", "failed", "ignored", "rejected", "revoked", "unregistered"];
    let mut stages = vec![regex(None, HEAD)?];
    for end in ENDS {
        stages.push(regex(Some("other"), end)?);
    }
    stages.extend([
        template("state", STATES)?,
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
    ]);
    Ok(Preset { join: first_line(r"^\[\d{4}-\d\d-\d\d ")?, stages })
}
