//! Contracts between the parts of the project: what the code declares, and what dashboards, rules and the bundle use.

mod alerts;
mod bundle;
mod catalogue;
mod configs;
mod dashboards;
mod docs;
mod files;
mod promql;
mod registry;
mod stages;
mod tidy;
