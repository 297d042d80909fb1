//! What the exporter does, by what it is about.

mod custom;
