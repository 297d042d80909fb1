//! The small values of a module file. Each says for itself what is wrong with it, so that errors have a place.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use http::Method;
use http::header::HeaderName;
use serde::Deserialize;
use taffrail_core::Pattern;

use crate::http::Compression;
use crate::resolve::Prefer;
use crate::tls::Version;

/// A value that is read from a text.
macro_rules! scalar {
    ($(#[doc = $doc:literal])+ $name:ident($inner:ty), $read:expr) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Deserialize)]
        #[serde(try_from = "String")]
        pub(super) struct $name(pub(super) $inner);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let read: fn(&str) -> Result<$inner, String> = $read;
                read(&text).map($name)
            }
        }
    };
}

scalar!(
    /// A regular expression.
    Regex(Pattern), |text| Pattern::new(text).map_err(|e| e.to_string()));

scalar!(
    /// `5s`, `1m30s`.
    Period(Duration), period);

scalar!(
    /// `10MB`, `512`.
    Size(u64), size);

scalar!(
/// `ip4`, `ip6`.
Protocol(Prefer), |text| match text {
    "ip4" => Ok(Prefer::V4),
    // As upstream, where whatever is not ip4 is ip6; a slip of the pen is still refused.
    "ip6" | "" => Ok(Prefer::V6),
    other => Err(format!("`{other}` is no version of the Internet Protocol: wanted ip4 or ip6")),
});

scalar!(
    /// An address to connect from.
    Address(IpAddr), |text| text.parse().map_err(|_| format!("`{text}` is not an IP address")));

scalar!(
    /// `GET`, `POST`.
    Verb(Method), |text| Method::from_str(text).map_err(|_| format!("`{text}` is not a method of HTTP")));

scalar!(
/// The name of a header.
Header(HeaderName), |text| {
    HeaderName::from_str(text).map_err(|_| format!("`{text}` cannot be the name of a header"))
});

scalar!(
/// How bodies are compressed; none for `identity`.
Packing(Option<Compression>), |text| match text.to_ascii_lowercase().as_str() {
    "gzip" => Ok(Some(Compression::Gzip)),
    "deflate" => Ok(Some(Compression::Deflate)),
    "br" => Ok(Some(Compression::Brotli)),
    "identity" | "" => Ok(None),
    _ => Err(format!("`{text}` is no compression that is known: wanted gzip, deflate, br or identity")),
});

scalar!(
/// A version of TLS; none for those that are too old to be spoken.
TlsVersion(Option<Version>), |text| match text {
    "TLS13" => Ok(Some(Version::Tls13)),
    "TLS12" => Ok(Some(Version::Tls12)),
    "TLS11" | "TLS10" => Ok(None),
    _ => Err(format!("`{text}` is no version of TLS: wanted TLS12 or TLS13")),
});

scalar!(
/// The name of a label.
LabelName(String), |text| {
    let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if word && !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` cannot be the name of a label: letters, digits and _ only, no digit first"))
    }
});

impl PartialEq for Header {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Header {}
impl PartialOrd for Header {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Header {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.as_str().cmp(other.0.as_str())
    }
}

/// A duration as Go writes it: numbers with units, one after the other.
fn period(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: wanted one such as 5s, 500ms or 1m30s");
    let mut rest = text;
    let mut seconds = 0.0;
    if text.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "" if number == 0.0 => 1.0,
            _ => return Err(wrong()),
        };
        seconds += number * unit;
        rest = &rest[letters..];
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// A size; units are powers of 1024 with or without an `i`, as upstream.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size: wanted bytes, or a number with a unit such as 10MB");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = text[digits..].trim().to_ascii_lowercase();
    let power = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(wrong()),
    };
    Ok((number * 1024f64.powi(power)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_go() {
        assert_eq!(period("1m30s").unwrap(), Duration::from_secs(90));
        assert_eq!(period("1.5s").unwrap(), Duration::from_millis(1500));
        assert_eq!(period("0").unwrap(), Duration::ZERO);
        for bad in ["", "5", "s", "5 s", "-1s", "1d", "1.2.3s"] {
            assert!(period(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(size("10MB").unwrap(), 10 << 20);
        assert_eq!(size("1.5KiB").unwrap(), 1536);
        assert_eq!(size("7").unwrap(), 7);
        assert!(size("ten").is_err() && size("1xB").is_err());
    }
}
