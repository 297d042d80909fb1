//! Redis' log: messages by level, what was not saved, replication that broke.

use super::{Preset, counter, first_line, label, meter, regex, template};

/// `1:M 21 Nov 2026 15:00:00.123 * Ready`; the time says no zone.
const HEAD: &str =
    r"^\d+:[A-Z] (?P<time>\d{1,2} [A-Z][a-z]{2} (?:\d{4} )?[\d:.]+) (?P<sign>[.*#-]) (?P<message>[^\n]*)";

const UNSAVED: &str = concat!(
    "(?P<unsaved>Background saving error|Write error (?:saving DB|writing append only file)|",
    "Failed opening the (?:temp )?(?:RDB|AOF) file|Background AOF rewrite terminated (?:by|with)|Can't save in background)"
);

const BROKEN: &str = concat!(
    "(?P<broken>Connection with (?:master|replica|slave)[^\n]* lost|Master is currently unable to PSYNC|",
    "MASTER timeout:|Disconnecting timedout (?:replica|slave)|Error condition on socket for SYNC|",
    "I/O error trying to sync with MASTER)"
);

pub(super) fn preset() -> Result<Preset, String> {
    let level = r##"{{ .sign | replace "." "debug" | replace "-" "verbose" | replace "*" "notice" | replace "#" "warning" }}"##;
    let stages = vec![
        regex(None, HEAD)?,
        template("level", level)?,
        regex(Some("message"), UNSAVED)?,
        regex(Some("message"), BROKEN)?,
        meter([
            counter(
                "redis_log_messages_total",
                "Messages in Redis' log.",
                "sign",
                vec![label("level", &["debug", "verbose", "notice", "warning"])],
            ),
            counter(
                "redis_log_save_failures_total",
                "Times that Redis' log says that data could not be saved.",
                "unsaved",
                Vec::new(),
            ),
            counter(
                "redis_log_replication_failures_total",
                "Times that Redis' log says that replication broke.",
                "broken",
                Vec::new(),
            ),
        ]),
    ];
    // Its crash reports go over many lines.
    Ok(Preset { join: first_line(r"^\d+:[A-Z] \d")?, stages })
}
