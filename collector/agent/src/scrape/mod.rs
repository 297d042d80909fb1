//! Scraping: targets found by discovery, fetched at their times, as Prometheus does.
//!
//! <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config>

pub mod discovery;
pub mod fetch;
pub mod job;
pub mod page;
pub mod sample_labels;
pub mod scraper;
pub mod series;
pub mod target;
mod task;
mod tls;

pub use job::Job;
pub use scraper::Shared;
pub use target::{Found, Group, Target};
pub use task::{JobTask, client};
