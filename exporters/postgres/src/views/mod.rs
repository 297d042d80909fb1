//! The views: one a file, one line each here.

mod activity;
mod archiver;
mod bloat;
mod blocking;
mod buffercache;
mod database;
mod indexes;
mod io;
mod locks;
mod progress;
mod replication;
mod roles;
mod settings;
mod slots;
mod ssl;
mod stat_database;
mod statements;
mod user_tables;
mod wal;
mod wal_receiver;
mod writer;

pub use statements::Told;

use crate::view::View;

/// Every view, in the order in which they are asked.
pub static VIEWS: &[&View] = &[
    &replication::VIEW,
    &activity::VIEW,
    &locks::VIEW,
    &blocking::VIEW,
    &stat_database::VIEW,
    &writer::VIEW,
    &archiver::VIEW,
    &slots::VIEW,
    &wal_receiver::VIEW,
    &progress::VIEW,
    &settings::VIEW,
    &database::VIEW,
    &wal::VIEW,
    &roles::VIEW,
    &io::VIEW,
    &ssl::VIEW,
    &statements::VIEW,
    &user_tables::VIEW,
    &user_tables::DETAIL,
    &indexes::VIEW,
    &bloat::VIEW,
    &buffercache::VIEW,
];
