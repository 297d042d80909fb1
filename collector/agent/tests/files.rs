//! Log files: everything that happens to them, done to real ones.

mod cost;
mod follow;
mod hang;
mod kill;
mod lines;
mod named;
mod rig;
mod run;
mod settle;
mod start;
mod torture;
mod trouble;
mod unreadable;
