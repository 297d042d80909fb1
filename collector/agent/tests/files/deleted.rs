//! Deleted files on a disk that is nearly full.
#![expect(clippy::disallowed_methods, reason = "a small disk is mounted")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use taffrail_collector::config::valid::Start;

use super::rig::Rig;

/// A disk of 20 MiB.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path) -> Small {
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=20m", "tmpfs"]).arg(at).output().unwrap();
        assert!(
            mount.status.success(),
            "this test mounts, as root: {}",
            String::from_utf8_lossy(&mount.stderr)
        );
        Small(at.to_owned())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_short_disk_gets_the_space_of_deleted_files_back() {
    let mut disk = None;
    let mut rig = Rig::with(Start::Beginning, &["*.log"], |logs| disk = Some(Small::mount(logs)));
    let free = |rig: &Rig| {
        let disk = rustix::fs::statvfs(rig.path("")).unwrap();
        (disk.f_bavail * disk.f_frsize) >> 20
    };
    let line = format!("{}\n", "x".repeat((1 << 20) - 1));
    for name in ["read.log", "old.log", "new.log"] {
        if name == "old.log" {
            assert_eq!(rig.texts().len(), 4);
            rig.pause.send_replace(true);
        }
        rig.append(name, line.repeat(4));
        rig.step();
        fs::remove_file(rig.path(name)).unwrap();
    }
    rig.step();
    assert_eq!((free(&rig), rig.status().lost_bytes), (8, 0), "they are held");
    fs::write(rig.path("filler"), vec![0; (8 << 20) - 1000]).unwrap();
    rig.step();
    assert_eq!((free(&rig), rig.status().lost_bytes), (4, 0), "what was read goes first");
    fs::write(rig.path("more"), vec![0; (4 << 20) - 9000]).unwrap();
    rig.step();
    assert_eq!((free(&rig), rig.status().lost["disk"]), (4, 4 << 20), "then the oldest");
    rig.pause.send_replace(false);
    let texts = rig.texts();
    assert!(texts.len() == 5 && texts.iter().any(|text| text.contains(" reason=disk ")), "{}", texts.len());
}
