//! The configuration: what is written (`written`), and what is valid ([`valid`]). Only the second reaches the pipeline.

pub mod secret;
pub mod valid;

pub use secret::Secret;
pub use valid::*;
