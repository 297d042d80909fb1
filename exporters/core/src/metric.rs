//! Metric declarations: name, help, type and labels, said once.
//!
//! ```
//! taffrail_core::metrics! {
//!     /// Seconds the CPUs spent in each mode.
//!     pub CPU_SECONDS: Counter = "node_cpu_seconds_total" ["cpu", "mode"];
//!     /// Memory information field {key}.
//!     pub MEMORY: Gauge = "node_memory_" {"fields of /proc/meminfo"} "" [] irregular;
//! }
//! assert_eq!(METRICS.len(), 2);
//! ```
//!
//! A wrong number of labels does not compile, nor does a name against the rules that is not marked `irregular`:
//!
//! ```compile_fail
//! taffrail_core::metrics! {
//!     /// Seconds.
//!     SECONDS: Counter = "node_cpu_seconds" ["cpu"];
//! }
//! SECONDS.metric();
//! ```
//! ```compile_fail
//! taffrail_core::metrics! {
//!     /// Seconds.
//!     SECONDS: Counter = "node_cpu_seconds_total" ["cpu", "mode"];
//! }
//! taffrail_core::Out::default().put(&SECONDS, ["0"], 1.0);
//! ```

/// The type of a metric, as the Prometheus text format knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Only goes up, or back to zero when its source restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// What the incumbents publish without saying what it is.
    Untyped,
    /// Counts by upper bound. Only families of other programs' ([`Out::put_found`](crate::Out::put_found)).
    Histogram,
    /// Quantiles. Only families of other programs'.
    Summary,
}

impl Kind {
    /// The word behind `# TYPE` in the Prometheus text format.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Untyped => "untyped",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
        }
    }
}

/// Where the middle part of a keyed family's name comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// What names the keys, for the reference: "fields of /proc/meminfo".
    pub source: &'static str,
    /// What follows the key in the metric's name.
    pub suffix: &'static str,
}

/// One declared metric, or one declared keyed family of metrics.
#[derive(Debug)]
pub struct Metric {
    /// The name; of a keyed family, what stands before the key.
    pub name: &'static str,
    /// Set for families whose names come from the kernel or a server.
    pub keys: Option<Keys>,
    /// One sentence; `{key}` stands for the key.
    pub help: &'static str,
    /// The type.
    pub kind: Kind,
    /// Label names, without the identity (`job`, `instance`) that every series gets.
    pub labels: &'static [&'static str],
    /// The incumbents' name breaks the naming rules, and is kept.
    pub irregular: bool,
}

/// Units that a name may end in (before `_total`), as OpenMetrics lists them and the incumbents use them.
const UNITS: [&str; 10] =
    ["seconds", "bytes", "ratio", "celsius", "volts", "amperes", "watts", "joules", "hertz", "meters"];

impl Metric {
    /// Checks the declaration when it is compiled.
    pub const fn checked(self) -> Self {
        assert!(is_name(self.name.as_bytes()), "a metric's name has only letters, digits and _");
        assert!(!self.help.is_empty(), "a metric needs a help text");
        if self.keys.is_none() && !self.irregular {
            let name = self.name.as_bytes();
            let total = ends_with(name, b"_total");
            let mut i = 0;
            while i < name.len() {
                assert!(!name[i].is_ascii_uppercase(), "an upper-case name is irregular");
                i += 1;
            }
            match self.kind {
                Kind::Counter => assert!(total, "a counter's name ends in _total, or is irregular"),
                Kind::Gauge | Kind::Untyped => {
                    assert!(!total, "only a counter's name ends in _total");
                }
                Kind::Histogram | Kind::Summary => {
                    assert!(self.irregular, "a declared metric has one value a series");
                }
            }
            assert!(!ends_with(name, b"_count"), "_count is a histogram's suffix: irregular");
            assert!(!ends_with(name, b"_sum"), "_sum is a histogram's suffix: irregular");
            assert!(!ends_with(name, b"_bucket"), "_bucket is a histogram's suffix: irregular");
        }
        let mut i = 0;
        while i < self.labels.len() {
            assert!(is_name(self.labels[i].as_bytes()), "a label's name has only letters, digits and _");
            i += 1;
        }
        self
    }

    /// The metric's name, or the pattern of a keyed family's names (`node_memory_<key>`).
    pub fn pattern(&self) -> String {
        match self.keys {
            Some(keys) => format!("{}<key>{}", self.name, keys.suffix),
            None => self.name.to_owned(),
        }
    }

    /// Whether a series of this name belongs to the metric.
    pub fn covers(&self, name: &str) -> bool {
        match self.keys {
            Some(keys) => name
                .strip_prefix(self.name)
                .and_then(|rest| rest.strip_suffix(keys.suffix))
                .is_some_and(|key| !key.is_empty()),
            None => name == self.name,
        }
    }

    /// The unit that the name ends in, if it does.
    pub fn unit(&self) -> Option<&'static str> {
        unit_of(self.keys.map_or(self.name, |keys| keys.suffix))
    }
}

/// The unit that a metric's name ends in (before `_total`), if it does.
pub fn unit_of(name: &str) -> Option<&'static str> {
    let base = name.strip_suffix("_total").unwrap_or(name);
    UNITS.into_iter().find(|unit| base.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')))
}

const fn is_name(name: &[u8]) -> bool {
    let mut i = 0;
    while i < name.len() {
        let c = name[i];
        if !(c.is_ascii_alphabetic() || c == b'_' || (i > 0 && c.is_ascii_digit())) {
            return false;
        }
        i += 1;
    }
    !name.is_empty()
}

const fn ends_with(name: &[u8], suffix: &[u8]) -> bool {
    match name.split_at_checked(name.len().wrapping_sub(suffix.len())) {
        Some((_, tail)) => {
            let mut i = 0;
            while i < tail.len() {
                if tail[i] != suffix[i] {
                    return false;
                }
                i += 1;
            }
            true
        }
        None => false,
    }
}

/// A declared metric with `N` labels.
#[derive(Debug)]
pub struct Family<const N: usize>(pub(crate) Metric);

impl<const N: usize> Family<N> {
    /// Made by [`metrics!`](crate::metrics).
    pub const fn new(metric: Metric) -> Self {
        assert!(metric.labels.len() == N);
        Family(metric.checked())
    }

    /// What was declared.
    pub const fn metric(&'static self) -> &'static Metric {
        &self.0
    }
}

/// A declared family of metrics whose names hold a key of the kernel's or a server's, with `N` labels.
#[derive(Debug)]
pub struct Keyed<const N: usize>(pub(crate) Metric);

impl<const N: usize> Keyed<N> {
    /// Made by [`metrics!`](crate::metrics).
    pub const fn new(metric: Metric) -> Self {
        assert!(metric.labels.len() == N);
        Keyed(metric.checked())
    }

    /// What was declared.
    pub const fn metric(&'static self) -> &'static Metric {
        &self.0
    }
}

/// Declares metrics as statics, and `METRICS`, the list of them all. See [the module](crate::metric).
#[macro_export]
macro_rules! metrics {
    ($(
        $(#[doc = $help:literal])+
        $vis:vis $ident:ident : $kind:ident = $name:literal $({$source:literal} $suffix:literal)?
            [$($label:literal),*] $($irregular:ident)?;
    )+) => {
        $($crate::metrics!(@one [$(#[doc = $help])+] [$vis] $ident $kind $name [$($source, $suffix)?] [$($label),*] [$($irregular)?]);)+

        /// Every metric declared here.
        #[allow(dead_code, reason = "small tests do not use it")]
        pub static METRICS: &[&$crate::Metric] = &[$($ident.metric()),+];
    };
    (@one [$(#[doc = $help:literal])+] [$vis:vis] $ident:ident $kind:ident $name:literal [] $labels:tt $irregular:tt) => {
        $(#[doc = $help])+
        $vis static $ident: $crate::Family<{ $crate::metrics!(@list $labels).len() }> = $crate::Family::new(
            $crate::metrics!(@metric [$($help),+] $kind $name (None) $labels $irregular));
    };
    (@one [$(#[doc = $help:literal])+] [$vis:vis] $ident:ident $kind:ident $name:literal [$source:literal, $suffix:literal] $labels:tt $irregular:tt) => {
        $(#[doc = $help])+
        $vis static $ident: $crate::Keyed<{ $crate::metrics!(@list $labels).len() }> = $crate::Keyed::new(
            $crate::metrics!(@metric [$($help),+] $kind $name (Some($crate::metric::Keys { source: $source, suffix: $suffix })) $labels $irregular));
    };
    (@metric [$($help:literal),+] $kind:ident $name:literal ($keys:expr) $labels:tt $irregular:tt) => {
        $crate::Metric {
            name: $name,
            keys: $keys,
            help: concat!($($help),+).trim_ascii(),
            kind: $crate::Kind::$kind,
            labels: &$crate::metrics!(@list $labels),
            irregular: $crate::metrics!(@irregular $irregular),
        }
    };
    (@list []) => { { const NONE: [&str; 0] = []; NONE } };
    (@list [$($label:literal),+]) => { [$($label),+] };
    (@irregular []) => { false };
    (@irregular [irregular]) => { true };
}

#[cfg(test)]
mod tests {
    metrics! {
        /// Seconds the CPUs spent
        /// in each mode.
        SECONDS: Counter = "node_cpu_seconds_total" ["cpu", "mode"];
        /// Field {key}.
        MEMORY: Gauge = "node_memory_" {"fields of /proc/meminfo"} "_bytes" [];
        /// Bytes.
        RX: Gauge = "node_Rx_total" [] irregular;
    }

    #[test]
    fn declarations_say_what_was_written() {
        assert_eq!(METRICS.len(), 3);
        assert_eq!(SECONDS.metric().help, "Seconds the CPUs spent in each mode.");
        assert_eq!(SECONDS.metric().unit(), Some("seconds"));
        assert_eq!(SECONDS.metric().labels, ["cpu", "mode"]);
        assert_eq!(MEMORY.metric().pattern(), "node_memory_<key>_bytes");
        assert_eq!(MEMORY.metric().unit(), Some("bytes"));
        assert!(RX.metric().irregular);
    }

    #[test]
    fn a_keyed_family_covers_its_names_only() {
        assert!(MEMORY.metric().covers("node_memory_MemFree_bytes"));
        assert!(!MEMORY.metric().covers("node_memory__bytes_x"));
        assert!(!MEMORY.metric().covers("node_memory_bytes"));
        assert!(SECONDS.metric().covers("node_cpu_seconds_total"));
        assert!(!SECONDS.metric().covers("node_cpu_seconds"));
    }
}
