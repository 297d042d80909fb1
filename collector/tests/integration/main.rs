//! The whole path, with the real programs that `setup.sh` unpacked. One module a subject.

mod browser;
mod page;
mod end_to_end;
mod prometheus;
