//! Metrics between exporters and the log with cursors.

mod form;
pub mod interner;
pub mod pages;
pub mod record;
pub mod scope;
pub mod writer;

pub use pages::Pages;
pub use scope::{Identity, Scope};
pub use writer::Writer;
