//! The configuration: what is written ([`written`]), and what is valid ([`valid`]). Only the second reaches the
//! pipeline, and [`load`] is the only way to it.
//!
//! A text becomes a [`tree`] in which every value knows its place; [`de`] reads the tree into what is written, by serde,
//! and replaces variables value by value; [`check`] makes what is valid of it. All errors of a file are found in one go.

mod access;
pub mod check;
pub mod de;
pub mod defaults;
pub mod env;
pub mod error;
pub mod field;
mod include;
pub mod load;
mod query_files;
pub mod reference;
pub mod scalar;
pub mod secret;
pub mod secrets;
pub mod set;
pub mod source;
pub mod subjects;
pub mod tree;
pub mod valid;
pub mod written;

pub use error::{Errors, Problem};
pub use load::{load, load_listen, load_text};
pub use scalar::{Interval, show_duration};
pub use secret::Secret;
pub use source::Source;
pub use valid::*;
