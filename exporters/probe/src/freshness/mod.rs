//! The freshness prober: how old and how large the newest of some files, folders or objects is, and when it was last
//! proven that they can be restored. This is how backups are watched.

mod files;
mod found;
pub mod moment;
#[cfg(feature = "object-store")]
pub mod store;

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use taffrail_core::metrics;

pub use self::files::{FilesError, Glob};
use self::found::Found;
use crate::attempt::Attempt;
use crate::failure::Failure;

metrics! {
    /// How many files, folders or objects match.
    MATCHES: Gauge = "probe_freshness_matches" [];
    /// Bytes of all that match.
    ALL_BYTES: Gauge = "probe_freshness_all_bytes" [];
    /// When the newest match was last written, in seconds since 1970.
    NEWEST_TIMESTAMP: Gauge = "probe_freshness_newest_timestamp_seconds" [];
    /// Seconds since the newest match was last written.
    NEWEST_AGE: Gauge = "probe_freshness_newest_age_seconds" [];
    /// Bytes of the newest match.
    NEWEST_BYTES: Gauge = "probe_freshness_newest_bytes" [];
    /// Seconds that the newest match may be old before the probe fails, where the config says so.
    MAX_AGE: Gauge = "probe_freshness_max_age_seconds" [];
    /// When a restore was last verified, in seconds since 1970.
    RESTORE_TIMESTAMP: Gauge = "probe_freshness_restore_verified_timestamp_seconds" [];
    /// Seconds since a restore was last verified.
    RESTORE_AGE: Gauge = "probe_freshness_restore_verified_age_seconds" [];
    /// Seconds that the last verified restore may be old before the probe fails, where the config says so.
    RESTORE_MAX_AGE: Gauge = "probe_freshness_restore_verified_max_age_seconds" [];
}

/// The most that is read of a marker.
const MARKER: u64 = 4096;
/// How far clocks may differ before a time in the future is a failure.
const SKEW_MS: i64 = 5 * 60 * 1000;

/// What has to be there, and how fresh.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The oldest that the newest match may be.
    pub max_age: Option<Duration>,
    /// The fewest bytes that the newest match may have: a dump of an empty database is no backup.
    pub min_bytes: Option<u64>,
    /// The fewest matches; one, without it.
    pub min_matches: Option<u64>,
    /// What says when a restore was last verified.
    pub restore: Option<Restore>,
    /// How to reach the object store, where targets are in one.
    #[cfg(feature = "object-store")]
    pub store: Option<store::Access>,
}

/// A file or object that is written when a restore has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    /// Its path, or its key in the bucket of the target. Where its first line is a time (RFC 3339, or seconds since
    /// 1970), that counts; else when it was last written.
    pub marker: String,
    /// The oldest that it may be.
    pub max_age: Option<Duration>,
}

/// What a look gave.
#[derive(Debug, Default)]
struct Seen {
    found: Found,
    /// When a restore was last verified, in milliseconds since 1970; none where there is no marker.
    restored_ms: Option<i64>,
}

/// What a target names.
enum Place {
    Disk(Glob),
    #[cfg(feature = "object-store")]
    Store,
}

/// Looks at the target: an absolute glob, or `s3://bucket/prefix` with a glob in its last name.
pub async fn probe(settings: &Settings, attempt: &mut Attempt<'_>) -> Result<(), Failure> {
    let seen = look(settings, attempt).await?;
    let now_ms = attempt.cx.clock.now_ms();
    write(settings, attempt, &seen, now_ms);
    judge(settings, &seen, now_ms).map_err(Failure::Answer)
}

/// Whether a target can be looked at, in words if not.
pub fn check_target(target: &str) -> Result<(), String> {
    place(target).map(drop)
}

fn place(target: &str) -> Result<Place, String> {
    match target.split_once("://") {
        None => Glob::new(target).map(Place::Disk).map_err(|error| error.to_string()),
        #[cfg(feature = "object-store")]
        Some(_) => store::check(target).map(|()| Place::Store),
        #[cfg(not(feature = "object-store"))]
        Some((scheme, _)) => {
            Err(format!("this build reads no `{scheme}://`: it was made without the feature object-store"))
        }
    }
}

async fn look(settings: &Settings, attempt: &mut Attempt<'_>) -> Result<Seen, Failure> {
    let wrong = |why| Failure::Answer(format!("the target `{}`: {why}", attempt.target));
    let seen = match place(attempt.target).map_err(wrong)? {
        Place::Disk(glob) => {
            let marker = settings.restore.as_ref().map(|restore| restore.marker.clone());
            let looking = attempt.cx.files.run(attempt.target, move || on_disk(&glob, marker.as_deref()));
            let looked = attempt.within(|| "looking at files".into(), looking).await?;
            looked.map_err(|error| Failure::Answer(error.to_string()))?.map_err(Failure::Answer)?
        }
        #[cfg(feature = "object-store")]
        Place::Store => {
            let looking = store::look(attempt.target, settings);
            let looked = attempt.within(|| "listing objects".into(), looking).await?;
            let (found, restored_ms) = looked.map_err(Failure::Answer)?;
            Seen { found, restored_ms }
        }
    };
    match &seen.found.newest {
        Some(newest) => attempt.trail.say(format!(
            "{} match, {} bytes; the newest is {}, {} bytes",
            seen.found.matches, seen.found.bytes, newest.name, newest.bytes
        )),
        None => attempt.trail.say("Nothing matches"),
    }
    Ok(seen)
}

fn on_disk(glob: &Glob, marker: Option<&str>) -> Result<Seen, String> {
    let found = glob.look().map_err(|error| error.to_string())?;
    let restored_ms = match marker {
        Some(path) => read_marker(path).map_err(|error| format!("{path}: {error}"))?,
        None => None,
    };
    Ok(Seen { found, restored_ms })
}

fn read_marker(path: &str) -> std::io::Result<Option<i64>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let modified_ms = files::unix_ms(file.metadata()?.modified()?);
    let mut text = Vec::new();
    file.take(MARKER).read_to_end(&mut text)?;
    Ok(Some(moment::parse(&text).unwrap_or(modified_ms)))
}

fn write(settings: &Settings, attempt: &mut Attempt<'_>, seen: &Seen, now_ms: i64) {
    let out = &mut *attempt.out;
    out.put(&MATCHES, [], seen.found.matches as f64);
    out.put(&ALL_BYTES, [], seen.found.bytes as f64);
    if let Some(newest) = &seen.found.newest {
        out.put(&NEWEST_TIMESTAMP, [], seconds(newest.modified_ms));
        out.put(&NEWEST_AGE, [], seconds(now_ms - newest.modified_ms));
        out.put(&NEWEST_BYTES, [], newest.bytes as f64);
    }
    if let Some(max_age) = settings.max_age {
        out.put(&MAX_AGE, [], max_age.as_secs_f64());
    }
    if let Some(restored_ms) = seen.restored_ms {
        out.put(&RESTORE_TIMESTAMP, [], seconds(restored_ms));
        out.put(&RESTORE_AGE, [], seconds(now_ms - restored_ms));
    }
    if let Some(max_age) = settings.restore.as_ref().and_then(|restore| restore.max_age) {
        out.put(&RESTORE_MAX_AGE, [], max_age.as_secs_f64());
    }
}

/// What is wrong, in words.
fn judge(settings: &Settings, seen: &Seen, now_ms: i64) -> Result<(), String> {
    let least = settings.min_matches.unwrap_or(1);
    let Found { matches, newest, .. } = &seen.found;
    if *matches < least {
        return Err(format!("{matches} match, and at least {least} should"));
    }
    if let Some(newest) = newest {
        let what = format!("the newest match, {},", newest.name);
        age(&what, newest.modified_ms, settings.max_age, now_ms)?;
        if let Some(least) = settings.min_bytes.filter(|least| newest.bytes < *least) {
            return Err(format!("{what} has {} bytes, and should have at least {least}", newest.bytes));
        }
    }
    match (&settings.restore, seen.restored_ms) {
        (None, _) => Ok(()),
        (Some(restore), None) => Err(format!("no restore was ever verified: there is no {}", restore.marker)),
        (Some(restore), Some(ms)) => age("the last verified restore", ms, restore.max_age, now_ms),
    }
}

fn age(what: &str, at_ms: i64, most: Option<Duration>, now_ms: i64) -> Result<(), String> {
    let age_ms = now_ms - at_ms;
    if age_ms < -SKEW_MS {
        return Err(format!(
            "{what} is {} in the future: the clock of this machine or of the one that wrote it is wrong",
            span(-age_ms)
        ));
    }
    match most {
        Some(most) if age_ms > most.as_millis() as i64 => {
            Err(format!("{what} is {} old, and may be {} old", span(age_ms), span(most.as_millis() as i64)))
        }
        _ => Ok(()),
    }
}

/// A span of time for people: the two largest units of it.
fn span(ms: i64) -> String {
    let seconds = ms / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn seen(age_ms: i64, bytes: u64, restored_ms: Option<i64>) -> Seen {
        let mut found = Found::default();
        found.add("db.dump", 100 * DAY - age_ms, bytes);
        Seen { found, restored_ms }
    }

    #[test]
    fn what_is_wrong_is_said() {
        #[cfg_attr(
            not(feature = "object-store"),
            expect(clippy::needless_update, reason = "stores have a field more")
        )]
        let settings = Settings {
            max_age: Some(Duration::from_secs(26 * 3600)),
            min_bytes: Some(1000),
            min_matches: None,
            restore: Some(Restore {
                marker: "/verified".into(),
                max_age: Some(Duration::from_secs(30 * 86_400)),
            }),
            ..Settings::default()
        };
        let judge = |seen: &Seen| judge(&settings, seen, 100 * DAY);
        assert_eq!(judge(&seen(DAY, 1000, Some(80 * DAY))), Ok(()));
        for (seen, wanted) in [
            (Seen::default(), "0 match, and at least 1 should"),
            (seen(2 * DAY, 1000, None), "the newest match, db.dump, is 2 d 0 h old, and may be 1 d 2 h old"),
            (seen(DAY, 20, None), "the newest match, db.dump, has 20 bytes, and should have at least 1000"),
            (seen(DAY, 1000, None), "no restore was ever verified: there is no /verified"),
            (seen(DAY, 1000, Some(0)), "the last verified restore is 100 d 0 h old, and may be 30 d 0 h old"),
            (
                seen(-600_000, 1000, None),
                "the newest match, db.dump, is 10 min 0 s in the future: the clock of this machine or of the one that \
                 wrote it is wrong",
            ),
        ] {
            assert_eq!(judge(&seen), Err(wanted.to_owned()));
        }
    }
}
