//! Log files: everything that happens to them, done to real ones.

mod copies;
mod copytruncate;
mod cost;
mod deleted;
mod follow;
mod gaps;
mod hang;
mod kill;
mod lines;
mod named;
mod packed;
mod promtail;
mod rig;
mod run;
mod settle;
mod start;
mod torture;
mod trouble;
mod unreadable;
