//! The kernel's clock discipline (adjtimex(2)): how far the clock is off, and whether something keeps it right.

use taffrail_core::sys::{STA_NANO, TIME_ERROR, Timex, adjtimex};
use taffrail_core::{CollectError, Out, Subject, metrics};

use crate::config::HostConfig;

metrics! {
    /// Seconds between the clock and its reference.
    OFFSET: Gauge = "node_timex_offset_seconds" [];
    /// The frequency at which the clock is made to run, 1 if it is left alone.
    FREQUENCY: Gauge = "node_timex_frequency_adjustment_ratio" [];
    /// The largest error in seconds.
    MAX_ERROR: Gauge = "node_timex_maxerror_seconds" [];
    /// The estimated error in seconds.
    ESTIMATED_ERROR: Gauge = "node_timex_estimated_error_seconds" [];
    /// Bits of the discipline's state.
    STATUS: Gauge = "node_timex_status" [];
    /// The time constant of the phase-locked loop.
    CONSTANT: Gauge = "node_timex_loop_time_constant" [];
    /// Seconds between two ticks of the clock.
    TICK: Gauge = "node_timex_tick_seconds" [];
    /// The frequency of the pulse per second.
    PPS_FREQUENCY: Gauge = "node_timex_pps_frequency_hertz" [];
    /// The jitter of the pulse per second.
    PPS_JITTER: Gauge = "node_timex_pps_jitter_seconds" [];
    /// The interval over which the pulse per second is averaged, as the kernel gives it.
    PPS_SHIFT: Gauge = "node_timex_pps_shift_seconds" [];
    /// The mean of recent changes of the frequency of the pulse per second.
    PPS_STABILITY: Gauge = "node_timex_pps_stability_hertz" [];
    /// How often the jitter of the pulse per second was over its limit.
    PPS_JITTERS: Counter = "node_timex_pps_jitter_total" [];
    /// Intervals of calibration by the pulse per second.
    PPS_CALIBRATIONS: Counter = "node_timex_pps_calibration_total" [];
    /// Errors of calibration by the pulse per second.
    PPS_ERRORS: Counter = "node_timex_pps_error_total" [];
    /// How often the stability of the pulse per second was over its limit.
    PPS_UNSTABLE: Counter = "node_timex_pps_stability_exceeded_total" [];
    /// Seconds that International Atomic Time is ahead of UTC.
    TAI_OFFSET: Gauge = "node_timex_tai_offset_seconds" [];
    /// Whether something keeps the clock right (1) or not (0).
    SYNC_STATUS: Gauge = "node_timex_sync_status" [];
}

/// The subject `timex`. The clock is the machine's in a container too, whatever the settings say.
pub fn subject(_config: &HostConfig) -> Subject {
    Subject::blocking("timex", METRICS, move |out| match adjtimex() {
        Ok(timex) => {
            write(&timex, out);
            Ok(())
        }
        // A container's system call filter can refuse even to tell.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(CollectError::Absent),
        Err(error) => Err(CollectError::Other(format!("adjtimex: {error}"))),
    })
}

/// Writes what the kernel says, in the metrics' units.
pub fn write(timex: &Timex, out: &mut Out) {
    const MICROSECONDS: f64 = 1e6;
    // Frequencies are in millionths with 16 bits behind the point.
    const PPM: f64 = 1e6 * 65536.0;
    let per_second = if timex.status & STA_NANO != 0 { 1e9 } else { MICROSECONDS };
    out.put(&SYNC_STATUS, [], if timex.state == TIME_ERROR { 0.0 } else { 1.0 });
    out.put(&OFFSET, [], timex.offset as f64 / per_second);
    out.put(&FREQUENCY, [], 1.0 + timex.freq as f64 / PPM);
    out.put(&MAX_ERROR, [], timex.maxerror as f64 / MICROSECONDS);
    out.put(&ESTIMATED_ERROR, [], timex.esterror as f64 / MICROSECONDS);
    out.put(&STATUS, [], f64::from(timex.status));
    out.put(&CONSTANT, [], timex.constant as f64);
    out.put(&TICK, [], timex.tick as f64 / MICROSECONDS);
    out.put(&PPS_FREQUENCY, [], timex.ppsfreq as f64 / PPM);
    out.put(&PPS_JITTER, [], timex.jitter as f64 / per_second);
    out.put(&PPS_SHIFT, [], f64::from(timex.shift));
    out.put(&PPS_STABILITY, [], timex.stabil as f64 / PPM);
    out.put(&PPS_JITTERS, [], timex.jitcnt as f64);
    out.put(&PPS_CALIBRATIONS, [], timex.calcnt as f64);
    out.put(&PPS_ERRORS, [], timex.errcnt as f64);
    out.put(&PPS_UNSTABLE, [], timex.stbcnt as f64);
    out.put(&TAI_OFFSET, [], f64::from(timex.tai));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(timex: &Timex) -> Vec<f64> {
        let mut out = Out::default();
        out.begin(0);
        write(timex, &mut out);
        out.finish().samples.iter().map(|s| s.value.to_f64()).collect()
    }

    #[test]
    fn units_follow_the_status() {
        let timex = Timex { state: TIME_ERROR, offset: 1500, jitter: 3, ..Timex::default() };
        assert_eq!(values(&timex)[..2], [0.0, 0.0015]);
        let timex = Timex { state: 0, status: STA_NANO, offset: -1500, freq: 65536, ..timex };
        assert_eq!(values(&timex)[..3], [1.0, -0.0000015, 1.000001]);
    }
}
