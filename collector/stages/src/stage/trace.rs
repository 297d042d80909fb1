//! The stage `trace_context`: trace and span ids become structured metadata, wherever they stand.

use memchr::memmem;

use super::Outcome;
use crate::entry::Entry;

/// What fields and keys are called that hold them, as OpenTelemetry, Datadog, Elastic and the bridges to loggers write them.
const TRACE: [&str; 7] =
    ["trace_id", "traceid", "traceId", "traceID", "trace.id", "otelTraceID", "dd.trace_id"];
const SPAN: [&str; 7] = ["span_id", "spanid", "spanId", "spanID", "span.id", "otelSpanID", "dd.span_id"];
const PARENT: &str = "traceparent";

/// Finds `trace_id` and `span_id` in the fields, else in the line.
pub(super) fn apply(entry: &mut Entry<'_>) -> Outcome {
    let (trace, span) = match from_fields(entry) {
        (None, None) => from_line(&entry.line),
        found => found,
    };
    if trace.is_none() && span.is_none() {
        entry.remark(|| "no trace id was found".to_owned());
    }
    for (name, id) in [("trace_id", trace), ("span_id", span)] {
        if let Some(id) = id {
            entry.metadata.set(name, id);
        }
    }
    Outcome::Keep
}

fn from_fields(entry: &Entry<'_>) -> (Option<String>, Option<String>) {
    let field = |names: &[&str], digits: &[usize]| {
        let value = names.iter().find_map(|name| entry.fields.get(name))?;
        id(value, digits)
    };
    let (trace, span) = (field(&TRACE, &[32, 16]), field(&SPAN, &[16]));
    match entry.fields.get(PARENT).and_then(|value| parent(value)) {
        Some((in_trace, in_span)) if trace.is_none() => (Some(in_trace), span.or(Some(in_span))),
        _ => (trace, span),
    }
}

fn from_line(line: &str) -> (Option<String>, Option<String>) {
    // One look for both: nothing that names either is without one of these.
    let bytes = line.as_bytes();
    let named = |part: &[u8]| memmem::find(bytes, part).is_some();
    if !named(b"race") && !named(b"pan") {
        return (None, None);
    }
    let find = |names: &[&str], digits: &[usize]| names.iter().find_map(|name| after_key(line, name, digits));
    let (trace, span) = (find(&TRACE, &[32, 16]), find(&SPAN, &[16]));
    if trace.is_none()
        && let Some(at) = memmem::find(bytes, PARENT.as_bytes())
    {
        let rest = line[at + PARENT.len()..].trim_start_matches(['"', '=', ':', ' ', '\'']);
        if let Some((in_trace, in_span)) = parent(rest) {
            return (Some(in_trace), span.or(Some(in_span)));
        }
    }
    (trace, span)
}

/// The id behind `key=`, `"key":"` and the like; the key stands alone.
fn after_key(line: &str, key: &str, digits: &[usize]) -> Option<String> {
    // Few: a line that says the key again and again says nothing more.
    for at in memmem::find_iter(line.as_bytes(), key.as_bytes()).take(4) {
        let alone = !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
        let rest = &line[at + key.len()..];
        let value = rest.trim_start_matches(['"', '=', ':', ' ', '\'']);
        let separated = rest.len() - value.len();
        if alone && (1..=5).contains(&separated) {
            let found = id(value, digits);
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

/// The hexadecimal id that the text begins with: of one of these lengths, and not all zeros, which means none.
fn id(text: &str, digits: &[usize]) -> Option<String> {
    let length = text.bytes().take(33).take_while(u8::is_ascii_hexdigit).count();
    let ends = !text[length..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let found = &text[..length];
    (ends && digits.contains(&length) && found.bytes().any(|byte| byte != b'0'))
        .then(|| found.to_ascii_lowercase())
}

/// Trace and span of `00-<trace>-<span>-<flags>` (<https://www.w3.org/TR/trace-context/>).
fn parent(text: &str) -> Option<(String, String)> {
    let mut parts = text.get(..55)?.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let known = version.len() == 2 && version != "ff";
    if known { Some((id(trace, &[32])?, id(span, &[16])?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const S: &str = "00f067aa0ba902b7";

    #[test]
    fn ids_are_found_where_they_stand() {
        let both = (Some(T), Some(S));
        for (line, expected) in [
            (format!("trace_id={T} span_id={S} x"), both),
            (format!(r#"{{"traceId":"{T}","spanId" : "{S}"}}"#), both),
            (format!("x traceparent: 00-{T}-{S}-01"), both),
            (format!(r#"{{"traceparent":"00-{T}-{S}-01"}}"#), both),
            (format!("[trace_id={} done]", T.to_uppercase()), (Some(T), None)),
            (format!("trace_id={S}"), (Some(S), None)),
            (format!("dd.trace_id={S}, x"), (Some(S), None)),
            ("trace_id=00000000000000000000000000000000".to_owned(), (None, None)),
            (format!("trace_id={T}0"), (None, None)),
            (format!("my_trace_id={T}"), (None, None)),
            (format!("the trace_id is {T}"), (None, None)),
            ("a span of time".to_owned(), (None, None)),
            (format!("traceparent=ff-{T}-{S}-01"), (None, None)),
            ("trace_id=é traceparent=00-é".to_owned(), (None, None)),
        ] {
            let (trace, span) = from_line(&line);
            assert_eq!((trace.as_deref(), span.as_deref()), expected, "{line}");
        }
    }

    #[test]
    fn fields_stand_above_the_line() {
        let mut entry = Entry { line: format!("trace_id={T}").into(), ..Entry::default() };
        entry.fields.set("traceparent", format!("00-{}-{S}-01", "a".repeat(32)));
        apply(&mut entry);
        let all: Vec<_> = entry.metadata.iter().collect();
        assert_eq!(all, [("trace_id", "a".repeat(32).as_str()), ("span_id", S)]);
    }
}
