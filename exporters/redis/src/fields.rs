//! Fields of INFO that are numbers, and the metrics that they become.

use std::collections::HashMap;
use std::sync::LazyLock;

use taffrail_core::{Family, Out};

use crate::{memory, persistence, replication, server, stats};

/// A field, and its metric.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its name in INFO.
    pub(crate) name: &'static str,
    /// What it becomes.
    pub(crate) family: &'static Family<0>,
    /// What the number is multiplied with.
    pub(crate) scale: f64,
}

/// A field that becomes a metric as it is.
pub(crate) const fn field(name: &'static str, family: &'static Family<0>) -> Field {
    Field { name, family, scale: 1.0 }
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static Field>> = LazyLock::new(|| {
    let tables = [server::FIELDS, memory::FIELDS, persistence::FIELDS, stats::FIELDS, replication::FIELDS];
    tables.into_iter().flatten().map(|field| (field.name, field)).collect()
});

/// Publishes a field if it is known and a number; a newer server has fields that this program does not know.
pub(crate) fn write(name: &str, value: &str, out: &mut Out) {
    let Some(field) = BY_NAME.get(name) else { return };
    if let Some(value) = number(value) {
        out.put(field.family, [], value * field.scale);
    }
}

/// The number that a value of INFO is; states are 1 for good and 0 for bad.
fn number(value: &str) -> Option<f64> {
    match value {
        "ok" => Some(1.0),
        "err" | "fail" => Some(0.0),
        // Names of numbers, such as `inf`, are no values of INFO.
        value if value.contains(|c: char| c.is_ascii_alphabetic() && c != 'e') => None,
        value => value.parse().ok(),
    }
}
