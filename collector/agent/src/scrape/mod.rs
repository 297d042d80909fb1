//! Scraping: targets found by discovery, fetched at their times, as Prometheus does.
//!
//! <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config>

pub mod duration;
pub mod job;
pub mod sample_labels;
pub mod target;

pub use job::Job;
pub use target::{Found, Group, Target};
