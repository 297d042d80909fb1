//! What only Loki outputs have, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::{Base2Size, Interval, Size};

/// Loki's `limits_config`, as far as it is about pushes. Where Loki says that it takes less, that holds until the next
/// start.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LokiLimits {
    /// Labels of a stream, `service_name` not counted. The labels that are too many become structured metadata.
    #[schemars(extend("default" = 15))]
    pub max_label_names_per_series: Field<u64>,
    /// Bytes of a label's name. A label beyond it becomes structured metadata.
    #[schemars(extend("default" = 1024))]
    pub max_label_name_length: Field<u64>,
    /// Bytes of a label's value. A label beyond it becomes structured metadata.
    #[schemars(extend("default" = 2048))]
    pub max_label_value_length: Field<u64>,
    /// The longest line. A longer one is cut, with a mark. 0 is no limit.
    #[schemars(extend("default" = "256KB"))]
    pub max_line_size: Field<Base2Size>,
    /// Whether it takes structured metadata. It is left out where not.
    #[schemars(extend("default" = true))]
    pub allow_structured_metadata: Field<bool>,
    /// The most structured metadata of an entry. What is beyond it is left out, the longest first. 0 is no limit.
    #[schemars(extend("default" = "64KB"))]
    pub max_structured_metadata_size: Field<Base2Size>,
    /// The most pairs of structured metadata of an entry. 0 is no limit.
    #[schemars(extend("default" = 128))]
    pub max_structured_metadata_entries_count: Field<u64>,
    /// Whether entries older than `reject_old_samples_max_age` are refused.
    #[schemars(extend("default" = true))]
    pub reject_old_samples: Field<bool>,
    /// The oldest entry that is taken. Older ones are skipped and counted, and said once a stream.
    #[schemars(extend("default" = defaults::LOKI_MAX_AGE))]
    pub reject_old_samples_max_age: Field<Interval>,
    /// How many streams there may be. When there are nearly as many, the label with most values is named. 0 is no limit.
    #[schemars(extend("default" = 5000))]
    pub max_global_streams_per_user: Field<u64>,
    /// Bytes a second of one stream. What is beyond it is sent by itself, so that Loki's answer says what it refused.
    #[schemars(extend("default" = "3MB"))]
    pub per_stream_rate_limit: Field<Base2Size>,
    /// Bytes of one stream at once.
    #[schemars(extend("default" = "15MB"))]
    pub per_stream_rate_limit_burst: Field<Base2Size>,
    /// Mebibytes a second that are sent at most. Without it, as fast as Loki takes it: once it refuses, what it says is kept
    /// to.
    #[schemars(extend("examples" = [4]))]
    pub ingestion_rate_mb: Field<f64>,
    /// Mebibytes at once, with `ingestion_rate_mb`. Without it, half as much again as that.
    #[schemars(extend("examples" = [6]))]
    pub ingestion_burst_size_mb: Field<f64>,
}

/// Dead letters: what a receiver refused for good.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLetters {
    /// The most that is kept. The oldest goes first. 0 keeps nothing.
    #[schemars(extend("default" = defaults::DEAD_BYTES))]
    pub max_bytes: Field<Size>,
    /// How long it is kept.
    #[schemars(extend("default" = defaults::DEAD_AGE))]
    pub max_age: Field<Interval>,
}
