//! What systemd says of itself: its state, its version, where it runs, and when it last read unit files.

use std::time::Duration;

use taffrail_core::{Out, label};
use zbus::Variant;

use super::bus::{Bus, Failure, Property};
use super::{RUNNING, VERSION, VIRTUALIZATION};

/// Without news of unit files, facts are asked again after this time.
const REFRESH: Duration = Duration::from_secs(300);

/// What systemd says of itself, asked as rarely as the facts of units.
#[derive(Default)]
pub struct About {
    /// Its version, and how it runs; none when it was not asked yet.
    names: Option<(String, String)>,
    /// When unit files were last read, by systemd's clock.
    loaded: Option<u64>,
    /// When it was asked last, by ours.
    asked: Duration,
}

impl About {
    /// Asks and writes what systemd says of itself. Says whether facts of units are to be asked again.
    pub async fn ask(&mut self, bus: &Bus, now: Duration, out: &mut Out) -> Result<bool, Failure> {
        let mut loaded = None;
        let always = ["SystemState", "UnitsLoadTimestampMonotonic"].map(Property::of_manager);
        bus.read(&always, |at, value| match (at, value) {
            (0, Some(Variant::Str(state))) => {
                out.put(&RUNNING, [], if state.as_str() == "running" { 1.0 } else { 0.0 });
            }
            (1, Some(Variant::U64(time))) => loaded = Some(*time),
            _ => {}
        })
        .await?;
        let changed = self.names.is_none() || self.loaded != loaded || now >= self.asked + REFRESH;
        if changed {
            let (mut version, mut virtualization) = (String::new(), "unknown".to_owned());
            let rarely = ["Version", "Virtualization"].map(Property::of_manager);
            bus.read(&rarely, |at, value| match (at, value) {
                (0, Some(Variant::Str(text))) => version = label::value(text.as_bytes()).into_owned(),
                (1, Some(Variant::Str(text))) if text.is_empty() => virtualization = "none".into(),
                (1, Some(Variant::Str(text))) => virtualization = label::value(text.as_bytes()).into_owned(),
                _ => {}
            })
            .await?;
            *self = About { names: Some((version, virtualization)), loaded, asked: now };
        }
        if let Some((version, virtualization)) = &self.names {
            // One that has no number is 0 and nameless, as node_exporter has it.
            let number = version_number(version);
            let name = if number.is_some() { &**version } else { "" };
            out.put(&VERSION, [name], number.unwrap_or(0.0));
            out.put(&VIRTUALIZATION, [virtualization], 1.0);
        }
        Ok(changed)
    }
}

/// The first number of three digits or more, with what stands behind a point: 252.39 of `252.39-1~deb12u2`.
fn version_number(version: &str) -> Option<f64> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = version;
    loop {
        rest = &rest[rest.find(|c: char| c.is_ascii_digit())?..];
        let whole = digits(rest);
        if whole >= 3 {
            let fraction = rest[whole..].strip_prefix('.').map_or(0, digits);
            let end = if fraction > 0 { whole + 1 + fraction } else { whole };
            return rest[..end].parse().ok();
        }
        rest = &rest[whole..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_distributions_write_them() {
        for (text, number) in [
            ("252.39-1~deb12u2", Some(252.39)),
            ("v255.4-1ubuntu8", Some(255.4)),
            ("258~rc2", Some(258.0)),
            ("257.", Some(257.0)),
            ("1.2-219 (built from 77a)", Some(219.0)),
            ("12", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(version_number(text), number, "{text}");
        }
    }
}
