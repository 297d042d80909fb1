//! The few system calls that rustix lacks, and the only place with `unsafe`: each use says why it is sound.

#![allow(unsafe_code, reason = "this is the file for it")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What the kernel's clock discipline says (adjtimex(2)). Fields keep the kernel's names and units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timex {
    /// The clock's state; [`TIME_ERROR`] when it is not synchronised.
    pub state: i32,
    /// Bits of [`STA_NANO`] and others.
    pub status: i32,
    /// Offset from the reference, in microseconds, or nanoseconds with [`STA_NANO`].
    pub offset: i64,
    /// Adjustment of the frequency, in 2^-16 millionths.
    pub freq: i64,
    /// The largest error, in microseconds.
    pub maxerror: i64,
    /// The estimated error, in microseconds.
    pub esterror: i64,
    /// Time constant of the phase-locked loop.
    pub constant: i64,
    /// Microseconds between clock ticks.
    pub tick: i64,
    /// Frequency of the pulse per second, in 2^-16 millionths.
    pub ppsfreq: i64,
    /// Jitter of the pulse per second, in the unit of `offset`.
    pub jitter: i64,
    /// Length of the calibration interval, as a power of two of seconds.
    pub shift: i32,
    /// Stability of the pulse per second, in 2^-16 millionths.
    pub stabil: i64,
    /// How often the jitter was over its limit.
    pub jitcnt: i64,
    /// Calibration intervals.
    pub calcnt: i64,
    /// Calibration errors.
    pub errcnt: i64,
    /// How often the stability was over its limit.
    pub stbcnt: i64,
    /// Seconds that International Atomic Time is ahead of UTC.
    pub tai: i32,
}

/// The state of a clock that is not synchronised.
pub const TIME_ERROR: i32 = libc::TIME_ERROR;
/// The bit of a status whose offset and jitter are in nanoseconds.
pub const STA_NANO: i32 = libc::STA_NANO;

/// Asks the kernel's clock discipline, and changes nothing.
pub fn adjtimex() -> io::Result<Timex> {
    // SAFETY: `timex` is plain integers, for which all bits zero is a value.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live `timex` of our own, which the kernel writes to and does not keep. `modes` is zero:
    // nothing is set.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Timex {
        state,
        status: timex.status,
        offset: timex.offset,
        freq: timex.freq,
        maxerror: timex.maxerror,
        esterror: timex.esterror,
        constant: timex.constant,
        tick: timex.tick,
        ppsfreq: timex.ppsfreq,
        jitter: timex.jitter,
        shift: timex.shift,
        stabil: timex.stabil,
        jitcnt: timex.jitcnt,
        calcnt: timex.calcnt,
        errcnt: timex.errcnt,
        stbcnt: timex.stbcnt,
        tai: timex.tai,
    })
}

/// One device of a btrfs (`linux/btrfs.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BtrfsDevice {
    /// Where it is: `/dev/sda`.
    pub path: Vec<u8>,
    /// Its UUID.
    pub uuid: [u8; 16],
    /// Bytes allocated.
    pub used: u64,
    /// Bytes in all.
    pub total: u64,
    /// Errors of writing, reading, flushing, of contents, and blocks that are too old.
    pub errors: [u64; 5],
}

/// `struct btrfs_ioctl_fs_info_args`; what is not needed is left as bytes.
#[repr(C)]
struct FsInfo {
    max_id: u64,
    num_devices: u64,
    fsid: [u8; 16],
    rest: [u64; 124],
}

/// `struct btrfs_ioctl_dev_info_args`.
#[repr(C)]
struct DevInfo {
    devid: u64,
    uuid: [u8; 16],
    bytes_used: u64,
    total_bytes: u64,
    rest: [u64; 379],
    path: [u8; 1024],
}

/// `struct btrfs_ioctl_get_dev_stats`, which is 8 bytes longer than its authors meant.
#[repr(C)]
struct DevStats {
    devid: u64,
    nr_items: u64,
    flags: u64,
    values: [u64; 5],
    rest: [u64; 121],
}

const _: () =
    assert!(size_of::<FsInfo>() == 1024 && size_of::<DevInfo>() == 4096 && size_of::<DevStats>() == 1032);

const BTRFS: u32 = 0x94;
const FS_INFO: libc::Ioctl = libc::_IOR::<FsInfo>(BTRFS, 31);
const DEV_INFO: libc::Ioctl = libc::_IOWR::<DevInfo>(BTRFS, 30);
const DEV_STATS: libc::Ioctl = libc::_IOWR::<DevStats>(BTRFS, 52);

/// The id of the btrfs that `dir` is on, and its devices. Another file system is an error.
pub fn btrfs_devices(dir: BorrowedFd<'_>) -> io::Result<([u8; 16], Vec<BtrfsDevice>)> {
    /// Ids are given out one after the other: more than these means more devices were replaced than anybody does.
    const MAX_ID: u64 = 4096;
    let mut info = FsInfo { max_id: 0, num_devices: 0, fsid: [0; 16], rest: [0; 124] };
    // SAFETY: `FsInfo` has the size and layout that the request stands for; any bytes are values of it.
    unsafe { ask(dir, FS_INFO, &mut info) }?;
    let mut devices = Vec::new();
    for id in 0..=info.max_id.min(MAX_ID) {
        if devices.len() as u64 == info.num_devices {
            break;
        }
        match btrfs_device(dir, id) {
            Ok(device) => devices.push(device),
            // Ids have gaps where devices were removed.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((info.fsid, devices))
}

fn btrfs_device(dir: BorrowedFd<'_>, devid: u64) -> io::Result<BtrfsDevice> {
    let mut info =
        DevInfo { devid, uuid: [0; 16], bytes_used: 0, total_bytes: 0, rest: [0; 379], path: [0; 1024] };
    // SAFETY: `DevInfo` has the size and layout that the request stands for; any bytes are values of it.
    unsafe { ask(dir, DEV_INFO, &mut info) }?;
    let mut stats = DevStats { devid, nr_items: 5, flags: 0, values: [0; 5], rest: [0; 121] };
    // SAFETY: as above, for `DevStats`. No flag is set, so nothing is reset.
    unsafe { ask(dir, DEV_STATS, &mut stats) }?;
    let path = info.path.split(|b| *b == 0).next().unwrap_or_default().to_vec();
    let (used, total) = (info.bytes_used, info.total_bytes);
    Ok(BtrfsDevice { path, uuid: info.uuid, used, total, errors: stats.values })
}

/// ioctl(2) with an argument that is read and written.
///
/// # Safety
/// `T` must be what `request` takes: of its size and layout, and with any bytes a value.
unsafe fn ask<T>(file: BorrowedFd<'_>, request: libc::Ioctl, argument: &mut T) -> io::Result<()> {
    // SAFETY: the descriptor is open, and the caller sees to the argument, which lives until the call returns.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), request, std::ptr::from_mut(argument)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_btrfs_is_an_error() {
        use std::os::fd::AsFd;
        let dir = std::fs::File::open("/proc").unwrap();
        assert_eq!(btrfs_devices(dir.as_fd()).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
    }

    #[test]
    fn the_kernel_tells_of_its_clock() {
        let timex = adjtimex().unwrap();
        // The tick can be set to a tenth more or less than 10,000 microseconds (USER_HZ is 100).
        assert!((9_000..=11_000).contains(&timex.tick), "{timex:?}");
        assert!((0..=TIME_ERROR).contains(&timex.state), "{timex:?}");
    }
}
