//! The HTTP server.

pub mod guard;
