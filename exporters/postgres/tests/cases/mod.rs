//! What the exporter does, by what it is about.

mod custom;
mod large;
mod replica;
mod trouble;
