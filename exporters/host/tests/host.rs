//! The host exporter on fixtures, on a file system that hangs, and in the frame of its settings.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "host/filesystem.rs"]
mod filesystem;
#[path = "host/fuse.rs"]
mod fuse;
#[path = "host/golden.rs"]
mod golden;
#[path = "host/hardware.rs"]
mod hardware;
#[path = "host/hostile.rs"]
mod hostile;
#[path = "host/machine.rs"]
mod machine;
#[path = "host/network.rs"]
mod network;
#[path = "host/odd_one_out.rs"]
mod odd_one_out;
#[path = "host/settings.rs"]
mod settings;
#[path = "host/systemd.rs"]
mod systemd;
#[path = "host/textfile.rs"]
mod textfile;

use std::sync::RwLock;

use taffrail_core::subject::Run;
use taffrail_core::{CollectError, Collected, Out, Subject};

/// Held for writing by whoever makes a mount hang, for reading by whoever asks all mounts of this machine.
static MOUNTS: RwLock<()> = RwLock::new(());

/// One run of a subject, with the samples that `out` knows from the runs before.
fn run(subject: &mut Subject, out: &mut Out) -> Result<Collected, CollectError> {
    let Run::Blocking(collect) = &mut subject.run else { panic!("{} does not block", subject.name) };
    out.begin(0);
    let result = collect(out);
    let collected = out.finish();
    result.map(|()| collected)
}
