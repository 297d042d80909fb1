//! Host metrics, named as node_exporter names them.

/// Roots, subjects and filters.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct HostConfig {}
