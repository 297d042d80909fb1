//! When subjects run, and what happens when one does not come back.
//!
//! A subject that blocks runs on its exporter's worker thread, one after another. When one outlives its budget the
//! thread is left to it, the rest goes on with a new thread, and the subject is not run again until it has come back.
//! Nothing is cancelled: a running collection is never dropped and no thread is killed.

mod crew;
mod exporter;
mod frame;
mod runner;
mod slot;

pub use exporter::{ExporterTask, Settings};
