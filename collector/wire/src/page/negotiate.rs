//! Which format a page is asked for in, and which it came in.

use std::fmt::Write;

use thiserror::Error;

/// A format that a page can be in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The text format, 0.0.4 or 1.0.0: times in milliseconds.
    #[default]
    Text,
    /// OpenMetrics: times in seconds, exemplars, units, `# EOF` at the end.
    OpenMetrics,
    /// Messages `io.prometheus.client.MetricFamily`, each behind its length.
    Protobuf,
}

/// A format to ask for, as `scrape_protocols` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `PrometheusProto`
    PrometheusProto,
    /// `OpenMetricsText0.0.1`
    OpenMetricsText0_0_1,
    /// `OpenMetricsText1.0.0`
    OpenMetricsText1_0_0,
    /// `PrometheusText0.0.4`
    PrometheusText0_0_4,
    /// `PrometheusText1.0.0`
    PrometheusText1_0_0,
}

impl Protocol {
    /// All there are.
    pub const ALL: [Protocol; 5] = [
        Protocol::PrometheusProto,
        Protocol::OpenMetricsText0_0_1,
        Protocol::OpenMetricsText1_0_0,
        Protocol::PrometheusText0_0_4,
        Protocol::PrometheusText1_0_0,
    ];

    /// What is asked for where nothing else is said.
    pub const DEFAULT: [Protocol; 4] = [
        Protocol::OpenMetricsText1_0_0,
        Protocol::OpenMetricsText0_0_1,
        Protocol::PrometheusText1_0_0,
        Protocol::PrometheusText0_0_4,
    ];

    /// What is asked for where native histograms are wanted: only protobuf carries them.
    pub const DEFAULT_NATIVE: [Protocol; 5] = [
        Protocol::PrometheusProto,
        Protocol::OpenMetricsText1_0_0,
        Protocol::OpenMetricsText0_0_1,
        Protocol::PrometheusText1_0_0,
        Protocol::PrometheusText0_0_4,
    ];

    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::PrometheusProto => "PrometheusProto",
            Protocol::OpenMetricsText0_0_1 => "OpenMetricsText0.0.1",
            Protocol::OpenMetricsText1_0_0 => "OpenMetricsText1.0.0",
            Protocol::PrometheusText0_0_4 => "PrometheusText0.0.4",
            Protocol::PrometheusText1_0_0 => "PrometheusText1.0.0",
        }
    }

    /// The protocol of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Protocol::ALL.into_iter().find(|protocol| protocol.name() == name)
    }

    /// The format in which its pages are.
    pub fn format(self) -> Format {
        match self {
            Protocol::PrometheusProto => Format::Protobuf,
            Protocol::OpenMetricsText0_0_1 | Protocol::OpenMetricsText1_0_0 => Format::OpenMetrics,
            Protocol::PrometheusText0_0_4 | Protocol::PrometheusText1_0_0 => Format::Text,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Protocol::PrometheusProto => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
            }
            Protocol::OpenMetricsText0_0_1 => "application/openmetrics-text;version=0.0.1",
            Protocol::OpenMetricsText1_0_0 => "application/openmetrics-text;version=1.0.0",
            Protocol::PrometheusText0_0_4 => "text/plain;version=0.0.4",
            Protocol::PrometheusText1_0_0 => "text/plain;version=1.0.0",
        }
    }
}

/// How a target shall write names that are not made of letters, digits and `_`: `metric_name_escaping_scheme`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Escaping {
    /// As they are.
    #[default]
    AllowUtf8,
    /// With `_` for each other character.
    Underscores,
    /// With `_dot_` for a dot, and `__` for others and for `_`.
    Dots,
    /// With `U__` in front, and `_1F600_` for a character.
    Values,
}

impl Escaping {
    /// All there are.
    pub const ALL: [Escaping; 4] =
        [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Dots, Escaping::Values];

    /// Its name, in a configuration and in the header.
    pub fn name(self) -> &'static str {
        match self {
            Escaping::AllowUtf8 => "allow-utf-8",
            Escaping::Underscores => "underscores",
            Escaping::Dots => "dots",
            Escaping::Values => "values",
        }
    }

    /// The scheme of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Escaping::ALL.into_iter().find(|scheme| scheme.name() == name)
    }
}

/// The value of the `Accept` header that asks for `protocols`, the most wanted first.
pub fn accept(protocols: &[Protocol], escaping: Escaping) -> String {
    let mut header = String::new();
    let mut weight = Protocol::ALL.len() + 1;
    for protocol in protocols {
        header.push_str(protocol.media_type());
        // Older versions of the text formats know no escaping.
        if matches!(protocol, Protocol::PrometheusText1_0_0 | Protocol::OpenMetricsText1_0_0) {
            header.push_str(";escaping=");
            header.push_str(escaping.name());
        }
        // Writing to a String cannot fail.
        let _ = write!(header, ";q=0.{weight},");
        weight = weight.saturating_sub(1);
    }
    let _ = write!(header, "*/*;q=0.{weight}");
    header
}

/// Why a page's format is not known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContentTypeError {
    /// No `Content-Type`, or an empty one.
    #[error(
        "the target says no Content-Type; set fallback_scrape_protocol to the format it writes, such as PrometheusText0.0.4"
    )]
    Blank,
    /// A `Content-Type` that is none.
    #[error(
        "the target's Content-Type is {0:?}, which is no media type; set fallback_scrape_protocol to the format it writes"
    )]
    Malformed(String),
    /// A `Content-Type` of no format that is known.
    #[error(
        "the target's Content-Type is {0:?}, not that of a page of metrics; is it the right path? If it is, set \
         fallback_scrape_protocol to the format it writes"
    )]
    Unsupported(String),
}

/// The format of a page by its `Content-Type`, or `fallback` where that says none. An empty page has no format, and
/// needs none.
///
/// # Errors
/// When it says none, and there is no fallback.
pub fn format_of(content_type: &str, fallback: Option<Format>) -> Result<Format, ContentTypeError> {
    let unknown = match known_media_type(content_type) {
        Ok(format) => return Ok(format),
        Err(error) => error,
    };
    fallback.ok_or(unknown)
}

/// The longest part of a strange `Content-Type` that a message repeats.
const SHOWN: usize = 100;

fn known_media_type(content_type: &str) -> Result<Format, ContentTypeError> {
    if content_type.is_empty() {
        return Err(ContentTypeError::Blank);
    }
    let shown = || content_type.chars().take(SHOWN).collect();
    let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let media_type = media_type.trim();
    if !is_media_type(media_type) || !are_parameters(parameters) {
        return Err(ContentTypeError::Malformed(shown()));
    }
    let is = |known: &str| media_type.eq_ignore_ascii_case(known);
    if is("text/plain") {
        Ok(Format::Text)
    } else if is("application/openmetrics-text") {
        Ok(Format::OpenMetrics)
    } else if is("application/vnd.google.protobuf") {
        Ok(Format::Protobuf)
    } else {
        Err(ContentTypeError::Unsupported(shown()))
    }
}

/// RFC 2045's token.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&c))
}

/// With or without a subtype, as Go's `mime` has it.
fn is_media_type(text: &str) -> bool {
    match text.split_once('/') {
        Some((kind, subtype)) => is_token(kind) && is_token(subtype),
        None => is_token(text),
    }
}

/// Names, none twice, and values with `;` between them; a value is a token or a string in quotes. Go lets an empty last one pass.
fn are_parameters(text: &str) -> bool {
    let (mut rest, mut names) = (text.trim(), Vec::new());
    while !rest.is_empty() {
        let Some((name, value)) = rest.split_once('=') else { return false };
        let value = value.trim_start();
        let behind = match value.strip_prefix('"') {
            Some(quoted) => {
                let mut escaped = false;
                let end = quoted.find(|c: char| {
                    let end = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    end
                });
                match end {
                    Some(end) => &quoted[end + 1..],
                    None => return false,
                }
            }
            None => {
                let end = value.find(';').unwrap_or(value.len());
                if !is_token(value[..end].trim_end()) {
                    return false;
                }
                &value[end..]
            }
        };
        let name = name.trim().to_ascii_lowercase();
        if !is_token(&name) || names.contains(&name) {
            return false;
        }
        names.push(name);
        let behind = behind.trim_start();
        rest = match behind.strip_prefix(';') {
            Some(more) => more.trim_start(),
            None if behind.is_empty() => "",
            None => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_prometheus_own() {
        assert_eq!(
            accept(&Protocol::DEFAULT, Escaping::AllowUtf8),
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        );
        assert_eq!(
            accept(&Protocol::DEFAULT_NATIVE, Escaping::Dots),
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
             application/openmetrics-text;version=1.0.0;escaping=dots;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=dots;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
        );
        assert_eq!(accept(&[], Escaping::Values), "*/*;q=0.6");
    }

    #[test]
    fn names_come_back() {
        assert!(Protocol::ALL.iter().all(|p| Protocol::from_name(p.name()) == Some(*p)));
        assert!(Escaping::ALL.iter().all(|e| Escaping::from_name(e.name()) == Some(*e)));
        assert_eq!((Protocol::from_name("prometheusproto"), Escaping::from_name("")), (None, None));
    }

    #[test]
    fn the_content_type_says_which_format() {
        for (header, format) in [
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", Format::OpenMetrics),
            ("Application/OpenMetrics-Text", Format::OpenMetrics),
            ("text/plain; version=0.0.4", Format::Text),
            ("text/plain;", Format::Text),
            (" text/plain ; charset=\"utf-8; x\" ; a=b", Format::Text),
            (
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
                Format::Protobuf,
            ),
        ] {
            assert_eq!(format_of(header, None), Ok(format), "{header}");
            assert_eq!(format_of(header, Some(Format::Protobuf)), Ok(format), "{header}");
        }
    }

    #[test]
    fn what_says_no_format_needs_a_fallback() {
        use ContentTypeError as E;
        for (header, error) in [
            ("", E::Blank),
            ("text/html; charset=utf-8", E::Unsupported("text/html; charset=utf-8".into())),
            ("text/plain; charset", E::Malformed("text/plain; charset".into())),
            ("text/plain; a=\"b", E::Malformed("text/plain; a=\"b".into())),
            ("text/plain; a=b; A=c", E::Malformed("text/plain; a=b; A=c".into())),
            ("text/", E::Malformed("text/".into())),
            ("garbage garbage", E::Malformed("garbage garbage".into())),
            ("/", E::Malformed("/".into())),
        ] {
            assert_eq!(format_of(header, None), Err(error), "{header}");
            let fallback = Some(Format::OpenMetrics);
            assert_eq!(format_of(header, fallback), Ok(Format::OpenMetrics), "{header}");
        }
        let long = format_of(&"x".repeat(1000), None).unwrap_err().to_string();
        assert!(long.len() < 300, "{long}");
    }
}
