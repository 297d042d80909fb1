//! A FUSE file system that answers statfs(2) when it is told to, and otherwise never (kernel document
//! `filesystems/fuse`, messages as in `include/uapi/linux/fuse.h`).

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

const INIT: u32 = 26;
const STATFS: u32 = 17;
const ENOSYS: i32 = 38;

/// A mounted file system; unmounted when dropped, which also ends every call that hangs in it.
pub(crate) struct Fuse {
    point: PathBuf,
    device: Arc<File>,
    state: Arc<Mutex<State>>,
}

struct State {
    answers: bool,
    /// Calls that wait for an answer.
    held: Vec<u64>,
}

impl Fuse {
    /// Mounts it at `point`, answering.
    pub(crate) fn mount(point: &Path) -> std::io::Result<Self> {
        let device = Arc::new(File::options().read(true).write(true).open("/dev/fuse")?);
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let options = std::ffi::CString::new(options)?;
        mount("hangs", point, "fuse", MountFlags::empty(), &*options)?;
        let state = Arc::new(Mutex::new(State { answers: true, held: Vec::new() }));
        let fuse = Fuse { point: point.into(), device, state };
        let (device, state) = (fuse.device.clone(), fuse.state.clone());
        // Ends when the file system is unmounted: reading then fails.
        thread::spawn(move || while serve(&device, &state).is_some() {});
        Ok(fuse)
    }

    /// From now on no statfs is answered.
    pub(crate) fn hang(&self) {
        self.state.lock().unwrap().answers = false;
    }

    /// Answers what waits, and all that comes.
    pub(crate) fn answer(&self) {
        let mut state = self.state.lock().unwrap();
        state.answers = true;
        let held = std::mem::take(&mut state.held);
        held.into_iter().for_each(|call| reply(&self.device, call, 0, &statfs()));
    }

    /// How many calls hang in it.
    pub(crate) fn held(&self) -> usize {
        self.state.lock().unwrap().held.len()
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        let _ = unmount(&self.point, UnmountFlags::DETACH | UnmountFlags::FORCE);
    }
}

/// Takes one message: length, opcode, and the number of the call stand first; the calling thread's number at 32.
fn serve(mut device: &File, state: &Mutex<State>) -> Option<()> {
    let mut message = vec![0; 1 << 16];
    let len = device.read(&mut message).ok().filter(|len| *len >= 40)?;
    let opcode = u32::from_ne_bytes(message[4..8].try_into().ok()?);
    let call = u64::from_ne_bytes(message[8..16].try_into().ok()?);
    assert!(len <= message.len());
    match opcode {
        INIT => reply(device, call, 0, &init()),
        STATFS => {
            let mut state = state.lock().unwrap();
            // Whatever else looks at all mounts of this machine, as other tests do, is not to hang.
            let caller = u32::from_ne_bytes(message[32..36].try_into().ok()?);
            let ours = Path::new(&format!("/proc/self/task/{caller}")).exists();
            if state.answers || !ours {
                reply(device, call, 0, &statfs());
            } else {
                state.held.push(call);
            }
        }
        _ => reply(device, call, -ENOSYS, &[]),
    }
    Some(())
}

fn reply(mut device: &File, call: u64, error: i32, body: &[u8]) {
    let mut message = Vec::new();
    message.extend(u32::try_from(16 + body.len()).unwrap().to_ne_bytes());
    message.extend(error.to_ne_bytes());
    message.extend(call.to_ne_bytes());
    message.extend(body);
    // Some messages (FORGET) want no answer; the kernel refuses it.
    let _ = device.write(&message);
}

/// Protocol 7.31, everything optional left off.
fn init() -> Vec<u8> {
    let mut body = Vec::new();
    for word in [7u32, 31, 0, 0, 0, 4096] {
        body.extend(word.to_ne_bytes());
    }
    body.resize(64, 0);
    body
}

/// 1,000 blocks of 4,096 bytes, 400 free, 300 for all; 50 inodes, 40 free.
fn statfs() -> Vec<u8> {
    let mut body = Vec::new();
    for long in [1000u64, 400, 300, 50, 40] {
        body.extend(long.to_ne_bytes());
    }
    for word in [4096u32, 255, 4096, 0] {
        body.extend(word.to_ne_bytes());
    }
    body.resize(80, 0);
    body
}
