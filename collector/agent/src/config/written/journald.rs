//! `logs`, of the journal, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Start;
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::{Interval, PathText, Size, Text};

/// The journal of systemd, read from its files.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Journald {
    /// The folder of the journal, or of one machine in it. Default: `/var/log/journal` and `/run/log/journal`, below the
    /// `rootfs` of the section `host`.
    #[schemars(extend("examples" = ["/var/log/journal"]))]
    pub path: Field<PathText>,
    /// Where to start when this source has never read: `backfill` with what is no older than `max_age`, `beginning` with the
    /// oldest entry, `end` with what is written from now on.
    #[schemars(extend("default" = "backfill"))]
    pub start: Field<Start>,
    /// With `backfill`: how old an entry may be. Once there is a cursor it counts no longer: what was missed is read.
    #[schemars(extend("default" = defaults::JOURNAL_AGE))]
    pub max_age: Field<Interval>,
    /// Only these entries: those that one of the units or matches fits. Default: all.
    pub include: Field<WhichEntries>,
    /// Not these.
    pub exclude: Field<WhichEntries>,
    /// Only entries that are at least so urgent. Entries without a priority are read in any case.
    #[schemars(extend("examples" = ["info"]))]
    pub priority: Field<Priority>,
    /// Further fields of entries that go along as structured metadata, in lower case and without the underscores they begin
    /// with. At most 32.
    #[schemars(extend("examples" = [["CODE_FILE", "_CMDLINE"]]))]
    pub fields: Field<Vec<Field<Text>>>,
    /// A longer message is cut here, and marked and counted. Between 1KiB and 1MiB; Loki takes 256KB.
    #[schemars(extend("default" = defaults::MAX_LINE))]
    pub max_line_bytes: Field<Size>,
}

/// Some entries.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WhichEntries {
    /// By unit: those that it wrote, and those that systemd wrote of it. `nginx` is `nginx.service`; `*` stands for
    /// anything, `?` for one character.
    #[schemars(extend("examples" = [["nginx", "shop-*"]]))]
    pub units: Field<Vec<Field<Text>>>,
    /// By fields: `FIELD=value`, or several with spaces between them, which all have to fit.
    #[schemars(extend("examples" = [["_TRANSPORT=kernel", "SYSLOG_IDENTIFIER=sshd PRIORITY=6"]]))]
    pub matches: Field<Vec<Field<Text>>>,
}

/// How urgent an entry is, as syslog(3) has it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// The system cannot be used.
    Emerg,
    /// Something has to be done at once.
    Alert,
    /// Critical.
    Crit,
    /// Errors.
    Err,
    /// Warnings.
    Warning,
    /// Normal, and worth a look.
    Notice,
    /// For information.
    Info,
    /// All there is.
    Debug,
}
