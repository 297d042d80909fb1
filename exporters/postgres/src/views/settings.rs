//! `pg_settings`: every setting that is a number or a switch.

use taffrail_core::{Out, metrics};
use tokio_postgres::Row;

use crate::cell;
use crate::memory::Memory;
use crate::view::{ALL, Pace, Query, Read, View};

metrics! {
    /// The server's setting {key}.
    SETTING: Gauge = "pg_settings_" {"names of `pg_settings`, with the unit behind: `_bytes` or `_seconds`"} "" [] irregular;
}

/// Settings.
pub static VIEW: View = View {
    name: "settings",
    about: "`pg_settings`: every setting that is a number or a switch, in bytes and seconds.",
    metrics: METRICS,
    pace: Pace::Seldom,
    patient: false,
    on: true,
    queries: &[Query {
        versions: ALL,
        extension: None,
        // What the session has set for itself is nobody else's setting.
        sql: "select name, case when name = 'transaction_read_only' and pg_is_in_recovery() then 'on' \
            when source = 'session' or name = 'transaction_read_only' then reset_val \
            else setting end, unit, vartype from pg_settings where vartype in ('bool', 'integer', 'real')",
        read: Read::Rows(read),
    }],
    without_monitor: "settings that only superusers may see",
};

fn read(_: &mut Memory, rows: &[Row], out: &mut Out) {
    for row in rows {
        let (name, setting, unit, kind) =
            (cell::text(row, 0), cell::text(row, 1), cell::text(row, 2), cell::text(row, 3));
        write(&name, &setting, &unit, &kind, out);
    }
}

/// Writes one setting.
fn write(name: &str, setting: &str, unit: &str, kind: &str, out: &mut Out) {
    if kind == "bool" {
        return out.put_keyed(&SETTING, name, [], f64::from(u8::from(setting == "on")));
    }
    // Some hosted servers repeat the unit behind the number.
    let number = setting.strip_suffix(unit).unwrap_or(setting).trim();
    let (Ok(number), Some((suffix, factor))) = (number.parse::<f64>(), base(unit)) else { return };
    // -1 means "off" or "as another setting", whatever the unit.
    let value = if number == -1.0 { number } else { number * factor };
    if suffix.is_empty() {
        out.put_keyed(&SETTING, name, [], value);
    } else {
        out.put_keyed(&SETTING, &format!("{name}_{suffix}"), [], value);
    }
}

/// What a unit of `pg_settings` is in bytes or seconds; none of one that is not known.
fn base(unit: &str) -> Option<(&'static str, f64)> {
    let seconds = |factor| Some(("seconds", factor));
    match unit {
        "" => return Some(("", 1.0)),
        "us" => return seconds(1e-6),
        "ms" => return seconds(1e-3),
        "s" => return seconds(1.0),
        "min" => return seconds(60.0),
        "h" => return seconds(3_600.0),
        "d" => return seconds(86_400.0),
        _ => {}
    }
    let digits = unit.bytes().take_while(u8::is_ascii_digit).count();
    let blocks: f64 = if digits == 0 { 1.0 } else { unit[..digits].parse().ok()? };
    let factor = match &unit[digits..] {
        "B" => 1.0,
        "kB" => 1024.0,
        "MB" => 1024.0 * 1024.0,
        "GB" => 1024.0 * 1024.0 * 1024.0,
        "TB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(("bytes", blocks * factor))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use taffrail_core::golden;
    use taffrail_core::text::{self, Format};

    use super::*;

    /// As PostgreSQL 18 says them, and odd ones.
    const SETTINGS: &str = "autovacuum|on||bool\nautovacuum_analyze_threshold|50||integer\n\
        autovacuum_vacuum_scale_factor|0.2||real\nautovacuum_vacuum_threshold|50||integer\n\
        autovacuum_work_mem|-1|kB|integer\nbgwriter_delay|200|ms|integer\ncheckpoint_timeout|300|s|integer\n\
        effective_cache_size|524288|8kB|integer\nlog_rotation_age|1440|min|integer\n\
        maintenance_work_mem|65536|kB|integer\nmax_connections|100||integer\n\
        max_locks_per_transaction|64||integer\nmax_parallel_workers|8||integer\nmax_wal_size|1024|MB|integer\n\
        max_worker_processes|8||integer\npg_stat_statements.max|5000||integer\nrandom_page_cost|4||real\n\
        reserved_connections|0||integer\nseq_page_cost|1||real\nshared_buffers|16384|8kB|integer\n\
        superuser_reserved_connections|3||integer\nwal_segment_size|16777216|B|integer\nwork_mem|4096|kB|integer\n\
        aurora.x-y|7MB|MB|integer\nodd|12|furlong|integer\nodder|many||integer\n";

    #[test]
    fn settings_are_in_bytes_and_seconds() {
        let mut out = Out::default();
        out.begin(0);
        for line in SETTINGS.lines() {
            let fields: Vec<&str> = line.split('|').collect();
            write(fields[0], fields[1], fields[2], fields[3], &mut out);
        }
        let page = String::from_utf8(text::page(&out.finish(), Format::Prometheus)).unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/settings.prom");
        golden::compare(&page, &file).unwrap();
    }
}
