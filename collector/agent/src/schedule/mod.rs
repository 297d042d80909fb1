//! When subjects run, and what happens when one does not come back.
//!
//! A subject that blocks runs on its exporter's worker thread, one after another. When one outlives its budget the
//! thread is left to it, the rest goes on with a new thread, and the subject is not run again until it has come back.
//! Nothing is cancelled: a running collection is never dropped and no thread is killed.
//!
//! A subject that takes longer than its budget, or too much of a CPU again and again, runs more seldom by itself, and
//! more often again once it is quick. Its values live for two of the interval that it has then.

mod crew;
mod exporter;
mod frame;
mod meter;
mod pace;
mod runner;
mod slot;

pub use exporter::{ExporterTask, Settings};
