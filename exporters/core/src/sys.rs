//! The few system calls that rustix lacks, and the only place with `unsafe`: each use says why it is sound.

#![allow(unsafe_code, reason = "this is the file for it")]

use std::io;
use std::mem;
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
    let mut timex: libc::timex = unsafe { mem::zeroed() };
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

/// How many files this process may have open (getrlimit(2)); 1024 where the kernel does not say.
pub fn may_open() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live `rlimit` of our own, which the kernel writes to and does not keep.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if result < 0 { 1024 } else { usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX) }
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

/// Room for the two control messages that are asked for, and more.
const CONTROL: usize = 128;

/// Control messages have the alignment of their header.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// Asks for the hop limit (TTL) of every packet that `socket` receives, for [`receive_with_hop_limit`].
/// ip(7), `IP_RECVTTL`; ipv6(7), `IPV6_RECVHOPLIMIT`.
pub fn want_hop_limit(socket: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
    let (level, option) = match v6 {
        true => (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT),
        false => (libc::IPPROTO_IP, libc::IP_RECVTTL),
    };
    let on: libc::c_int = 1;
    // SAFETY: the value is a live c_int, and its size is given; the kernel reads no further.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Receives one packet without waiting: its length, and its hop limit where the kernel tells it. recvmsg(2).
pub fn receive_with_hop_limit(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Option<u8>)> {
    let mut control = Control([0; CONTROL]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: msghdr is plain data, for which all zeros are valid (null pointers with length 0).
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = CONTROL as _;
    // SAFETY: the header points at one iovec over `buffer` and at `control`, with their lengths; all outlive the call.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    if received < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((received as usize, hop_limit(&message)))
}

/// The hop limit among a message's control messages.
fn hop_limit(message: &libc::msghdr) -> Option<u8> {
    // SAFETY: the kernel filled `msg_control` up to `msg_controllen`, which is what CMSG_FIRSTHDR and CMSG_NXTHDR stay
    // within; the buffer is alive and aligned for a header.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: not null, so it points at a whole header within the buffer.
        let (level, kind) = unsafe { ((*header).cmsg_level, (*header).cmsg_type) };
        let wanted = (level == libc::IPPROTO_IP && kind == libc::IP_TTL)
            || (level == libc::IPPROTO_IPV6 && kind == libc::IPV6_HOPLIMIT);
        if wanted {
            // SAFETY: the kernel writes a c_int behind headers of these two kinds; it may not be aligned for one.
            let value = unsafe { libc::CMSG_DATA(header).cast::<libc::c_int>().read_unaligned() };
            return u8::try_from(value).ok();
        }
        // SAFETY: as CMSG_FIRSTHDR.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn what_is_no_btrfs_is_an_error() {
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

    #[test]
    fn a_packet_tells_its_hop_limit() {
        for (address, v6) in [("127.0.0.1:0", false), ("[::1]:0", true)] {
            let Ok(receiver) = UdpSocket::bind(address) else { continue };
            let sender = UdpSocket::bind(address).unwrap();
            if !v6 {
                sender.set_ttl(37).unwrap();
            }
            let mut buffer = [0; 16];
            let nothing = receive_with_hop_limit(receiver.as_fd(), &mut buffer).unwrap_err();
            assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
            want_hop_limit(receiver.as_fd(), v6).unwrap();
            sender.send_to(b"hello", receiver.local_addr().unwrap()).unwrap();
            let (len, hops) = receive_with_hop_limit(receiver.as_fd(), &mut buffer).unwrap();
            assert_eq!(&buffer[..len], b"hello");
            assert_eq!(hops, Some(if v6 { 64 } else { 37 }));
        }
    }
}
