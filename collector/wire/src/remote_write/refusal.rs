//! Telling a refusal for a sample's time or order from one for what the sample is.

/// What receivers write into a 400 when a sample comes too late, twice or out of order: Prometheus (`storage`'s
/// errors, 2.x and 3.x), then Mimir (error ids that it promises not to change), then Cortex and Thanos.
const TEXTS: [&str; 13] = [
    "out of order sample",
    "out-of-order sample",
    "out of bounds",
    "too old sample",
    "duplicate sample for timestamp",
    "err-mimir-sample-out-of-order",
    "err-mimir-sample-duplicate-timestamp",
    "err-mimir-sample-timestamp-too-old",
    "err-mimir-too-far-in-past",
    "sample out of order",
    "sample timestamp out of order",
    "timestamp too old",
    "add sample with same timestamp",
];

/// A sample ahead of the receiver's clock is refused in words of the above ("out of bounds: timestamp is too far in
/// the future"), but not because it came twice or late: the cause is a clock, and must be seen as what it is.
const AHEAD: &str = "too far in the future";

/// Whether a 400 of a remote-write receiver means that a sample's time was refused: out of order, a duplicate, or too
/// old. After a send whose fate is unknown, that is what an earlier success looks like.
pub fn is_order_refusal(body: &str) -> bool {
    !body.contains(AHEAD) && TEXTS.iter().any(|text| body.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_receivers_words_for_order_are_known() {
        for body in [
            "out of order sample\n",
            "out of bounds",
            "too old sample\n",
            "duplicate sample for timestamp\n",
            "duplicate sample for timestamp 1700000000000; overrides not allowed: existing 1, new value 2\n",
            "duplicate sample for timestamp for series {__name__=\"test_metric1\", b=\"c\"}\n",
            "failed pushing to ingester: user=anonymous: the sample has been rejected because another sample with a \
             more recent timestamp has already been ingested and out-of-order samples are not allowed \
             (err-mimir-sample-out-of-order). The affected sample has timestamp 2024-01-01T00:00:00Z and is from \
             series up",
            "the sample has been rejected because its timestamp is too old (err-mimir-sample-timestamp-too-old).",
            "rejected (err-mimir-sample-duplicate-timestamp)",
        ] {
            assert!(is_order_refusal(body), "{body}");
        }
    }

    #[test]
    fn other_refusals_are_not_taken_for_order() {
        for body in [
            "",
            "snappy: corrupt input",
            "out of bounds: timestamp is too far in the future\n",
            "received a sample whose timestamp is too far in the future (err-mimir-too-far-in-future).",
            "per-user series limit of 150000 exceeded (err-mimir-max-series-per-user).",
            "label name too long (err-mimir-label-name-too-long)",
            "out of order exemplar",
        ] {
            assert!(!is_order_refusal(body), "{body}");
        }
    }
}
