//! Scraping: targets found by discovery, fetched at their times, as Prometheus does.
//!
//! <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config>

mod buffer;
pub mod client;
mod dial;
pub mod discovery;
pub mod failed;
mod families;
pub mod fetch;
pub mod fold;
pub mod job;
mod known;
mod left;
pub mod page;
pub mod relay;
pub mod room;
pub mod sample_labels;
pub mod scraper;
pub mod series;
pub mod state;
mod taken;
pub mod target;
mod task;
pub mod times;
mod watch;

pub use job::Job;
pub use left::Left;
pub use relay::Relay;
pub use room::{Room, RoomStatus};
pub use scraper::Shared;
pub use target::{Found, Group, Target};
pub use task::{JobTask, check};
