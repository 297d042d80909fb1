//! Metrics of probes that look for a text in an answer.

use taffrail_core::metrics;

metrics! {
    /// Whether the probe failed for what a regular expression found, or did not find, in the answer (1) or not (0).
    pub(crate) REGEX: Gauge = "probe_failed_due_to_regex" [];
    /// Whether the probe failed because other bytes came than `expect_bytes` says (1) or not (0).
    pub(crate) BYTES: Gauge = "probe_failed_due_to_bytes" [];
    /// What the answer said, in the labels that the module names; always 1.
    pub(crate) INFO: Gauge = "probe_expect_info" [];
}
