use std::fmt::Write;

use super::super::{Batch, read_json};
use super::*;

/// Writes down what it is given.
#[derive(Default)]
struct Written(String);

impl Sink for Written {
    fn stream(&mut self, labels: Result<Pairs<'_>, BadLabels<'_>>) -> bool {
        let good = labels.is_ok();
        match labels {
            Ok(pairs) => pairs.iter().for_each(|(name, value)| write!(self.0, "{name}={value} ").unwrap()),
            Err(error) => write!(self.0, "{error}").unwrap(),
        }
        self.0.push('\n');
        good
    }

    fn entry(&mut self, ts_ns: i64, line: &str, metadata: &[(Cow<'_, str>, Cow<'_, str>)]) {
        write!(self.0, "{ts_ns} {line}").unwrap();
        metadata.iter().for_each(|(name, value)| write!(self.0, " {name}={value}").unwrap());
        self.0.push('\n');
    }
}

fn json(text: &[u8]) -> Result<String, String> {
    let mut written = Written::default();
    read_json(text, &mut written).map_err(|error| error.to_string())?;
    Ok(written.0)
}

fn protobuf(request: &[u8]) -> Result<String, String> {
    let mut written = Written::default();
    read_protobuf(request, &mut written).map_err(|error| error.to_string())?;
    Ok(written.0)
}

#[test]
fn both_forms_say_the_same() {
    let mut batch = Batch::new();
    batch.stream(r#"{a="1", b="x\"y"}"#);
    batch.entry(5, "one", []);
    batch.entry(6, "tw\u{f6}", [("trace", "t")]);
    batch.stream("{}");
    batch.entry(-7, "", []);
    let expected = "a=1 b=x\"y \n5 one\n6 tw\u{f6} trace=t\n\n-7 \n";
    assert_eq!(protobuf(batch.finish()).unwrap(), expected);
    // In any order, with unknown keys and values behind, times as numbers too.
    let text = r#"{"more": [{}], "streams": [
        {"values": [["5", "one"], ["6", "tw\u00f6", {"trace": "t"}, 9]], "stream": {"b": "x\"y", "a": "1"}},
        {"stream": {}, "values": [[-7, ""]], "also": null}]}"#;
    assert_eq!(json(text.as_bytes()).unwrap(), expected);
    assert_eq!(json(br#"{"streams": []}"#).unwrap(), "");
    assert_eq!(json(br#"{"streams": [{"stream": {"a": "1"}}]}"#).unwrap(), "a=1 \n");
}

#[test]
fn what_is_not_utf8_is_replaced() {
    // A request whose line is one byte, 0xff, as Go sends it.
    let request = b"\x0a\x0e\x0a\x07{a=\"b\"}\x12\x03\x12\x01\xff";
    assert_eq!(protobuf(request).unwrap(), "a=b \n0 \u{fffd}\n");
    let text = b"{\"streams\": [{\"stream\": {\"a\": \"b\"}, \"values\": [[\"1\", \"\xff \\ud800!\"]]}]}";
    let read = json(text).unwrap();
    assert!(read.starts_with("a=b \n1 \u{fffd} \u{fffd}") && read.ends_with("!\n"), "{read:?}");
}

#[test]
fn labels_that_do_not_read_cost_their_stream_only() {
    let mut batch = Batch::new();
    batch.stream("{a=}");
    batch.entry(1, "unwanted", []);
    batch.stream("{a=\"b\"}");
    batch.entry(2, "wanted", []);
    let read = protobuf(batch.finish()).unwrap();
    assert_eq!(read, "the label set \"{a=}\" does not read as {name=\"value\", …}\na=b \n2 wanted\n");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let deep = format!("{{\"streams\": {}", "[".repeat(100_000));
    for (text, part) in [
        ("", "EOF"),
        ("[]", "an object with `streams`"),
        ("{}", "missing field `streams`"),
        (r#"{"streams": 1}"#, "a list of streams"),
        (r#"{"streams": [{"values": [["x", "l"]]}]}"#, "nanoseconds since 1970"),
        (r#"{"streams": [{"values": [["1.5", "l"]]}]}"#, "nanoseconds since 1970"),
        (r#"{"streams": [{"values": [["1"]]}]}"#, "two values"),
        (r#"{"streams": [{"values": [["1", 5]]}]}"#, "a line as text"),
        (r#"{"streams": [{"values": [["1", "l", {"a": 1}]]}]}"#, "expected a string"),
        (r#"{"streams": []} {}"#, "trailing"),
        (&deep, "line 1 column"),
    ] {
        let error = json(text.as_bytes()).unwrap_err();
        assert!(error.contains(part), "{text:.60}: {error}");
    }
    assert!(
        protobuf(b"\x0a\x05abc").is_err() && protobuf(b"\x08\x01").is_err() && protobuf(b"\x10\x01").is_ok()
    );
}

#[test]
fn deep_values_that_nobody_wants_do_no_harm() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    // Either answer will do; a stack that overflows would end the process.
    let _ = json(format!("{{\"more\": {deep}, \"streams\": []}}").as_bytes());
    let _ = json(format!("{{\"streams\": [{{\"values\": {deep}}}]}}").as_bytes());
}
