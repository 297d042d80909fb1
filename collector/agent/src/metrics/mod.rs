//! Metrics between exporters and the log with cursors.

pub mod budget;
pub mod cardinality;
mod form;
pub mod interner;
pub mod pages;
pub mod record;
pub mod scope;
pub mod writer;

pub use cardinality::Cardinality;
pub use pages::Pages;
pub use scope::{Identity, Scope};
pub use writer::Writer;
