//! Log files: everything that happens to them, done to real ones.

mod follow;
mod lines;
mod rig;
mod run;
mod settle;
mod start;
mod trouble;
