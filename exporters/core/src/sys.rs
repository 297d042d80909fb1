//! The few system calls that rustix lacks, and the only place with `unsafe`: each use says why it is sound.

#![allow(unsafe_code, reason = "this is the file for it")]

use std::io;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_of_its_clock() {
        let timex = adjtimex().unwrap();
        // The tick can be set to a tenth more or less than 10,000 microseconds (USER_HZ is 100).
        assert!((9_000..=11_000).contains(&timex.tick), "{timex:?}");
        assert!((0..=TIME_ERROR).contains(&timex.state), "{timex:?}");
    }
}
