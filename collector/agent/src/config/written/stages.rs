//! `logs.stages`: what the lines of a source pass through. What promtail has too is called and written as there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::meter::{Metric, PromtailMetric};
use super::multiline::MultilineStage;
use crate::config::field::{Field, OneOf};
use crate::config::scalar::{
    FieldName, Interval, LabelName, LabelValue, Name, Origin, PathText, Regex, Size, Text,
};

/// One stage: an object with one key, which is its kind.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct Stage {
    /// Joins lines that belong together, as promtail has it; the first of all stages. `multiline` beside `stages` does the
    /// same.
    pub multiline: Field<MultilineStage>,
    /// Takes fields out of a JSON object.
    pub json: Field<Json>,
    /// Takes fields out of `key=value` pairs.
    pub logfmt: Field<Logfmt>,
    /// Takes the named groups of a regular expression as fields.
    pub regex: Field<RegexStage>,
    /// Takes fields out of a line by one of Loki's patterns: often what is easiest to read.
    pub pattern: Field<PatternStage>,
    /// Takes the entry's time from a field.
    pub timestamp: Field<Timestamp>,
    /// Makes labels of fields. Each value of a label makes a stream, and streams are what Loki pays for: take only what has
    /// few values, and `structured_metadata` for everything else.
    #[schemars(extend("examples" = [{"level": "", "method": {"source": "verb", "values": ["GET", "POST"]}}]))]
    pub labels: Field<BTreeMap<LabelName, Field<OneOf<Origin, Label>>>>,
    /// Makes structured metadata of fields: names, and the fields that hold the values (empty: the field of that name).
    #[schemars(extend("examples" = [{"user": "", "request": "req_id"}]))]
    pub structured_metadata: Field<BTreeMap<LabelName, Field<Option<Origin>>>>,
    /// Finds trace and span ids, in fields or in the line (`trace_id`, `traceId`, `traceparent` and the like), and makes
    /// them the structured metadata `trace_id` and `span_id`.
    pub trace_context: Field<NoKeys>,
    /// Finds the level, and makes it the structured metadata `detected_level`. It is there by default, before all others.
    pub level: Field<LevelStage>,
    /// Makes a field, or the line, of other fields.
    pub template: Field<TemplateStage>,
    /// Makes a field the line.
    pub output: Field<Output>,
    /// Takes terminal colours away.
    pub decolorize: Field<NoKeys>,
    /// Makes metrics of lines: counters, gauges and histograms, by their names.
    #[schemars(extend("examples" = [{"shop_orders_total": {"type": "counter", "source": "order"}}]))]
    pub meter: Field<BTreeMap<FieldName, Field<Metric>>>,
    /// The same, as promtail has it.
    pub metrics: Field<BTreeMap<FieldName, Field<PromtailMetric>>>,
    /// Finds errors, by level or by stack trace: counts them by fingerprint, and tells those that are new.
    pub errors: Field<Errors>,
    /// Takes out what must not leave, in the line and in all that was made of it. It is there by default, behind all others,
    /// for credentials.
    pub redact: Field<Redact>,
    /// Leaves out entries that are so. All that is said has to hold.
    pub drop: Field<Condition>,
    /// Leaves out all entries but those that are so. All that is said has to hold.
    pub keep: Field<Condition>,
    /// Keeps a share of the entries, always the same ones.
    pub sampling: Field<Sampling>,
    /// Leaves out what is more than so many entries a second in one stream. Nothing waits.
    pub limit: Field<Limit>,
}

/// Takes fields out of a JSON object.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Json {
    /// The field that holds the object. Default: the line.
    pub source: Field<Text>,
    /// The fields to make, and where their values are (`a.b`, `a[0].b`, `"a b".c`; empty: under the field's name). Default:
    /// everything but lists, `{"a": {"b": 1}}` as `a_b`.
    #[schemars(extend("examples" = [{"level": "", "message": "log.msg"}]))]
    pub expressions: Field<BTreeMap<FieldName, Field<Option<Origin>>>>,
    /// Leave out what is no JSON.
    #[schemars(extend("default" = false))]
    pub drop_malformed: Field<bool>,
}

/// Takes fields out of `key=value` pairs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Logfmt {
    /// The field that holds them. Default: the line.
    pub source: Field<Text>,
    /// The fields to make, and the keys of their values (empty: the field's name). Default: all that have a value.
    #[schemars(extend("examples" = [{"level": "", "message": "msg"}]))]
    pub mapping: Field<BTreeMap<FieldName, Field<Option<Origin>>>>,
}

/// Takes the named groups of a regular expression as fields.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["expression"]))]
pub struct RegexStage {
    /// The field that is searched. Default: the line.
    pub source: Field<Text>,
    /// A regular expression in RE2's syntax; it may match anywhere.
    #[schemars(extend("examples" = ["^(?P<ip>\\S+) (?P<user>\\S+)"]))]
    pub expression: Field<Regex>,
}

/// Takes fields out of a line by one of Loki's patterns.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["expression"]))]
pub struct PatternStage {
    /// The field that is taken apart. Default: the line.
    pub source: Field<Text>,
    /// `<name>` takes the text up to what follows, `<_>` passes over it.
    #[schemars(extend("examples" = ["<ip> - <user> [<_>] \"<method> <path> <_>\" <status> <_>"]))]
    pub expression: Field<Text>,
}

/// Takes the entry's time from a field.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["source", "format"]))]
pub struct Timestamp {
    /// The field that holds it.
    #[schemars(extend("examples" = ["time"]))]
    pub source: Field<Text>,
    /// How it is written: `RFC3339`, `Unix`, `UnixMs`, `UnixUs`, `UnixNs`, another of Go's names (`ANSIC`, `RFC1123`, …),
    /// strftime's `%Y-%m-%d %H:%M:%S`, or Go's `2006-01-02 15:04:05`.
    #[schemars(extend("examples" = ["RFC3339"]))]
    pub format: Field<Text>,
    /// Further ways, tried in this order.
    #[schemars(extend("examples" = [["UnixMs", "%b %d %H:%M:%S"]]))]
    pub fallback_formats: Field<Vec<Field<Text>>>,
    /// The zone of times that say none: `UTC`, `+02:00`, or a name like `Europe/Berlin`.
    #[schemars(extend("default" = "UTC"))]
    pub timezone: Field<Text>,
    /// The same, as promtail calls it.
    pub location: Field<Text>,
    /// What becomes of an entry whose time is not there or is written otherwise.
    #[schemars(extend("default" = "fudge"))]
    pub action_on_failure: Field<OnFailure>,
}

/// What becomes of an entry without its time.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It follows the entry before.
    Fudge,
    /// It has the time at which it was read.
    Skip,
}

/// One label.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Label {
    /// The field that holds its value. Default: the one of its name.
    pub source: Field<Text>,
    /// The only values that it may have; with any other the field becomes structured metadata. Default: the first hundred
    /// values that come.
    #[schemars(extend("examples" = [["GET", "POST"]]))]
    pub values: Field<Vec<Field<LabelValue>>>,
}

/// Finds the level.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LevelStage {
    /// The field that holds it, as a word. Default: it is looked for where programs write it in a line.
    pub source: Field<Text>,
}

/// Finds errors.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Errors {
    /// The field, label or structured metadata that holds the version of the service. Default: `service_version`, `version`,
    /// `release` or `app_version`, else the tag of the container's image.
    pub version: Field<Text>,
}

/// Takes out what must not leave. Kinds that are not named: credentials are replaced, all else stays.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Redact {
    /// E-mail addresses.
    #[schemars(extend("default" = "off"))]
    pub email: Field<RedactAction>,
    /// Numbers of payment cards, with a check digit that is right.
    #[schemars(extend("default" = "off"))]
    pub card: Field<RedactAction>,
    /// IBANs, with a checksum that is right.
    #[schemars(extend("default" = "off"))]
    pub iban: Field<RedactAction>,
    /// Telephone numbers that begin with `+`, or are written as in North America.
    #[schemars(extend("default" = "off"))]
    pub phone: Field<RedactAction>,
    /// IP addresses, other than loopback.
    #[schemars(extend("default" = "off"))]
    pub ip: Field<RedactAction>,
    /// JSON web tokens.
    #[schemars(extend("default" = "replace"))]
    pub jwt: Field<RedactAction>,
    /// What follows `Bearer` or `Basic`.
    #[schemars(extend("default" = "replace"))]
    pub authorization: Field<RedactAction>,
    /// Keys and tokens of AWS, Google, Azure, GitHub, GitLab, Slack, Stripe and others, by their form.
    #[schemars(extend("default" = "replace"))]
    pub cloud_key: Field<RedactAction>,
    /// Private keys, over several lines too.
    #[schemars(extend("default" = "replace"))]
    pub private_key: Field<RedactAction>,
    /// Values of keys like `password`, `token` and `api_key`, and passwords in URLs.
    #[schemars(extend("default" = "replace"))]
    pub password: Field<RedactAction>,
    /// Patterns of your own.
    #[schemars(extend("examples" = [[{"name": "order", "expression": "ORD-[0-9]{6}"}]]))]
    pub patterns: Field<Vec<Field<RedactPattern>>>,
    /// A file with the key for `hash`.
    #[schemars(extend("examples" = ["/run/secrets/redact-key"]))]
    pub key_file: Field<PathText>,
}

/// What is done with what must not leave.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RedactAction {
    /// `[redacted:email]` stands in its place.
    Replace,
    /// `[redacted:email#…]`, with a hash by the key: the same person stays the same. Needs `key_file`.
    Hash,
    /// The whole entry is left out.
    Drop,
    /// It stays.
    Off,
}

/// A pattern of your own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "expression"]))]
pub struct RedactPattern {
    /// What stands in its place: `[redacted:NAME]`.
    #[schemars(extend("examples" = ["order"]))]
    pub name: Field<Name>,
    /// A regular expression; all that it matches is taken out.
    #[schemars(extend("examples" = ["ORD-[0-9]{6}"]))]
    pub expression: Field<Text>,
    /// What is done with it.
    #[schemars(extend("default" = "replace"))]
    pub action: Field<RedactAction>,
}

/// A stage that needs nothing said: `{}`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoKeys {}

/// Makes a field, or the line, of other fields.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["template"]))]
pub struct TemplateStage {
    /// The field that gets the result; `.Value` is what it held. Default: the line.
    pub source: Field<Text>,
    /// Text with `{{ .field }}` in it; `{{ .Entry }}` is the line. `{{ .level | lower }}`: functions are `lower`, `upper`, `trim`,
    /// `trimPrefix`, `trimSuffix`, `replace`, `default`, `trunc` and `quote`, and promtail's `ToLower`, `ToUpper`, `Replace`,
    /// `Trim`, `TrimSpace`, `TrimPrefix`, `TrimSuffix`.
    #[schemars(extend("examples" = ["{{ .method }} {{ .path | default \"/\" }}"]))]
    pub template: Field<Origin>,
}

/// Makes a field the line.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["source"]))]
pub struct Output {
    /// The field; where it is not there, the line stays.
    #[schemars(extend("examples" = ["message"]))]
    pub source: Field<Text>,
}

/// What entries are like. All that is said has to hold.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct Condition {
    /// The field that is looked at; alone: it is there. Default: the line.
    pub source: Field<Text>,
    /// A regular expression in RE2's syntax that matches anywhere in it.
    #[schemars(extend("examples" = ["GET /-/healthy"]))]
    pub expression: Field<Regex>,
    /// A text that it is equal to.
    pub value: Field<Origin>,
    /// The line is longer.
    #[schemars(extend("examples" = ["8KiB"]))]
    pub longer_than: Field<Size>,
    /// The entry's time, as the stage `timestamp` found it, is longer ago than this when the line is read.
    #[schemars(extend("examples" = ["24h"]))]
    pub older_than: Field<Interval>,
}

/// Keeps a share of the entries.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["rate"]))]
pub struct Sampling {
    /// The share that is kept, between 0 and 1.
    #[schemars(extend("examples" = [0.1]))]
    pub rate: Field<f64>,
    /// Keep or leave out together all entries with the same value of this field, such as a trace id; those without it stay.
    pub source: Field<Text>,
}

/// Leaves out what is more than so many entries a second in one stream.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["rate"]))]
pub struct Limit {
    /// Entries a second.
    #[schemars(extend("examples" = [100]))]
    pub rate: Field<f64>,
    /// So many at once. Default: what comes in a second.
    pub burst: Field<u64>,
    /// Count by the values of this field, not by stream; entries without it stay.
    pub by: Field<Text>,
    /// Only `true`: what is over the limit is left out, and counted.
    #[schemars(extend("default" = true))]
    pub drop: Field<bool>,
}

/// Why a key is not there, by its path: promtail's stages that are done otherwise, and names that are near.
pub fn hint(path: &str) -> Option<String> {
    let (kind, key) = path.strip_prefix("logs.")?.split_once('.')?;
    if kind != "stages" {
        return None;
    }
    let instead = match key {
        "match" => {
            "give the files that need other stages a `logs` item of their own, or use `drop` and `keep` with `source`"
        }
        "static_labels" => "write `labels: {NAME: VALUE}` beside `stages`",
        "labelallow" | "labeldrop" => "only what the stage `labels` names becomes a label; remove it there",
        "tenant" => "take the tenant as a label, and name the label in the output's `tenant_label`",
        "docker" | "cri" => {
            "write what the lines are, not how to read them; here lines are plain, use `json` or `pattern`"
        }
        "replace" => "use `redact` with `patterns`, or `regex` and `template`",
        "pack" => "use `structured_metadata`",
        "geoip" | "eventlogmessage" | "non_indexed_labels" => "there is nothing like it; remove it",
        "rate_limit" => "it is called `limit`, as in promtail",
        "sample" => "it is called `sampling`, as in promtail",
        "metadata" => "it is called `structured_metadata`",
        "redaction" | "mask" => "it is called `redact`",
        "trace" => "it is called `trace_context`",
        "limit.by_label_name" => "it is `by`, the name of a field",
        "limit.max_distinct_labels" => "it is always 10000; remove it",
        "drop.drop_counter_reason" => "what is left out is counted by the name of the stage; remove it",
        "drop.separator" => "one field is looked at; put several together with `template`",
        "timestamp.fallback_format" => "it is `fallback_formats`, a list",
        _ => return None,
    };
    let name = key.rsplit('.').next().unwrap_or(key);
    Some(format!("`{name}` is not a key here: {instead}"))
}
