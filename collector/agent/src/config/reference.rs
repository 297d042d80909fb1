//! The reference of `taffrail.yml`, made from the types that read it: a JSON schema for editors, and a page for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::subjects::schema;
use super::written::Written;

/// The JSON schema of `taffrail.yml`.
pub fn schema() -> Value {
    let mut schema = written();
    loosen(&mut schema);
    schema
}

/// The schema as the types say it.
fn written() -> Value {
    let mut schema = schemars::schema_for!(Written).to_value();
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), "taffrail.yml".into());
        root.remove("description");
    }
    schema
}

/// Allows what YAML and variables add: `${VAR}` for what is no text, and a section with nothing in it (`host:`).
fn loosen(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            match entries.get("type").and_then(Value::as_str) {
                Some(kind @ ("boolean" | "integer")) => {
                    let kinds = json!([kind, "string"]);
                    entries.insert("type".to_owned(), kinds);
                    entries.insert("pattern".to_owned(), VARIABLE.into());
                }
                Some(kind @ ("object" | "array")) => {
                    let kinds = json!([kind, "null"]);
                    entries.insert("type".to_owned(), kinds);
                }
                _ => {}
            }
            let words = entries.get("oneOf").is_some_and(|all| all[0].get("const").is_some());
            if let Some(choices) = entries.get_mut("oneOf").filter(|_| words).and_then(Value::as_array_mut) {
                choices.push(json!({ "type": "string", "pattern": VARIABLE }));
            }
            entries.values_mut().for_each(loosen);
        }
        Value::Array(items) => items.iter_mut().for_each(loosen),
        _ => {}
    }
}

/// A text that holds a variable.
const VARIABLE: &str = r"\$\{";

/// The subjects, and the section of one of them, below which all their names are listed.
const SUBJECTS: &str = "host.subjects";
const SUBJECT: &str = "host.subjects.<name>";

/// What stands above the tables.
const HEAD: &str = "\
<!-- Made by `make docs` from collector/agent/src/config/written.rs. -->

# taffrail.yml

`taffrail init` writes one to start from, `taffrail check --config taffrail.yml` says whether it is right and what would
run, and an editor that reads JSON schemas completes and checks it with `docs/reference/taffrail.schema.json`.

Only the sections that are written run. Without a file, taffrail collects what this machine has.

```yaml
# taffrail.yml
listen: 127.0.0.1:9753
labels: {env: prod}
interval: 15s
host:
  subjects:
    netclass: false
    filesystem: {interval: 60s}
logs:
  - name: system
    files: {include: [/var/log/*.log, /var/log/syslog]}
    labels: {job: varlog}
outputs:
  prometheus:
    - url: http://prometheus:9090/api/v1/write
  loki:
    - url: http://loki:3100
      basic_auth: {username: taffrail, password_file: /run/secrets/loki-password}
```

## What holds everywhere

- An unknown key, a wrong type or a key given twice is an error, and nothing starts. A reload with an error changes
  nothing.
- `${VAR}` in a value is replaced by the environment variable, `${VAR:-default}` has a default, `$$` is a dollar. This
  happens after YAML was read: whatever the variable holds stays one value. It does not happen in keys, nor in `stages`.
- Durations are written as Prometheus writes them: `15s`, `1m30s`, `500ms`. Sizes: `262144`, `256KiB`, `1MiB`.
- Relative paths start in the folder of the file.
- Names (`name`) are letters, digits, `_`, `-` and `.`. Positions and cursors are kept under them: what is renamed starts
  anew.
- `--set KEY=VALUE` lays a value over the file: `--set host.interval=5s`, `--set outputs.loki.0.url=http://loki:3100`.
- Secrets come from files (`password_file`, `bearer_token_file`) or variables, never from URLs, and no message shows them.

";

/// The page `docs/reference/config.md`.
pub fn page() -> String {
    let schema = written();
    let mut page = Page { definitions: definitions(&schema), text: HEAD.to_owned(), waiting: Vec::new() };
    let subject = json!({ "description": "One host subject.", "properties": schema::common() });
    page.definitions.insert(SUBJECT.to_owned(), subject);
    page.section("Top level", &schema);
    // The last one first, and each section's own in reverse: a section is followed by those that are in it.
    while let Some((title, name)) = page.waiting.pop() {
        let section = page.definitions.get(&name).cloned().unwrap_or_default();
        page.section(&format!("`{title}`"), &section);
    }
    page.text.truncate(page.text.trim_end().len());
    page.text.push('\n');
    page.text
}

fn definitions(schema: &Value) -> BTreeMap<String, Value> {
    let all = schema["$defs"].as_object().into_iter().flatten();
    all.map(|(name, value)| (name.clone(), value.clone())).collect()
}

struct Page {
    definitions: BTreeMap<String, Value>,
    text: String,
    /// Sections to come: their path and their definition.
    waiting: Vec<(String, String)>,
}

impl Page {
    fn section(&mut self, title: &str, schema: &Value) {
        let path = title.trim_matches('`');
        let prefix = if path == "Top level" { String::new() } else { format!("{path}.") };
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "## {title}\n");
        if let Some(text) = schema["description"].as_str() {
            let _ = writeln!(self.text, "{}\n", one_line(text));
        }
        self.text.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
        let before = self.waiting.len();
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            let kind = self.kind(property, &format!("{prefix}{key}"));
            let default = match default(property) {
                none if none.is_empty() && required.contains(&key.as_str()) => "**required**".to_owned(),
                default => default,
            };
            let _ = writeln!(self.text, "| `{key}` | {kind} | {default} | {} |", self.meaning(property));
        }
        if path == SUBJECT {
            self.subjects();
        }
        self.waiting[before..].reverse();
        self.text.push('\n');
    }

    /// The names that `host.subjects` takes, and the keys that single ones have.
    fn subjects(&mut self) {
        let mut subjects: Vec<_> = taffrail_host::SUBJECTS.iter().collect();
        subjects.sort_by_key(|subject| subject.name);
        self.text.push_str("\n| subject | by default | about |\n|---|---|---|\n");
        for subject in &subjects {
            let on = if subject.on { "on" } else { "off" };
            let _ = writeln!(
                self.text,
                "| [`{0}`](metrics.md#{0}) | {on} | {1} |",
                subject.name, subject.description
            );
        }
        self.text.push_str("\nWhat single subjects take beside these:\n\n");
        self.text.push_str("| subject | key | type | default | meaning |\n|---|---|---|---|---|\n");
        for subject in subjects {
            for (key, schema) in schema::keys_of(subject.name) {
                let (kind, default) = (self.kind(&schema, &key), default(&schema));
                let meaning = self.meaning(&schema);
                let _ =
                    writeln!(self.text, "| `{}` | `{key}` | {kind} | {default} | {meaning} |", subject.name);
            }
        }
    }

    /// The type in words; sections on the way are queued under their path.
    fn kind(&mut self, property: &Value, path: &str) -> String {
        if path == SUBJECTS {
            self.waiting.push((SUBJECT.to_owned(), SUBJECT.to_owned()));
            return format!("mapping to true or false or [section](#{})", anchor(SUBJECT));
        }
        if let Some(name) = reference(property) {
            let definition = self.definitions.get(&name).cloned().unwrap_or_default();
            if let Some(words) = words(&definition) {
                return words.join(", ");
            }
            self.waiting.push((path.to_owned(), name));
            return format!("[section](#{})", anchor(path));
        }
        if let Some(choices) = property["anyOf"].as_array() {
            let kinds: Vec<String> = choices.iter().map(|choice| self.kind(choice, path)).collect();
            return kinds.join(" or ");
        }
        if let Some(format) = property["format"].as_str() {
            return match format {
                "bytes" => "size",
                "double" => "number",
                "prometheus-duration" => "duration",
                "password" => "secret",
                "re2" => "regular expression",
                "url" => "URL",
                other => other,
            }
            .to_owned();
        }
        match property["type"].as_str() {
            Some("array") => format!("list of {}", self.kind(&property["items"], path)),
            Some("object") => {
                let values =
                    property.get("additionalProperties").filter(|values| values.is_object()).or_else(|| {
                        property["patternProperties"]
                            .as_object()
                            .and_then(|patterns| patterns.values().next())
                    });
                let kind =
                    values.map(|values| self.kind(values, &format!("{path}.<name>"))).unwrap_or_default();
                format!("mapping to {kind}")
            }
            Some("boolean") => "true or false".to_owned(),
            Some("integer") => "whole number".to_owned(),
            _ => "text".to_owned(),
        }
    }

    /// The description with what the values of an enumeration mean, and an example.
    fn meaning(&self, property: &Value) -> String {
        let mut text = one_line(property["description"].as_str().unwrap_or_default());
        let definition = reference(property).and_then(|name| self.definitions.get(&name));
        for variant in definition.and_then(|definition| definition["oneOf"].as_array()).into_iter().flatten()
        {
            if let (Some(word), Some(meaning)) = (variant["const"].as_str(), variant["description"].as_str())
            {
                let _ = write!(text, "<br>`{word}`: {}", one_line(meaning));
            }
        }
        if let Some(example) = property["examples"].as_array().and_then(|examples| examples.first()) {
            let _ = write!(text, "<br>Example: `{}`", plain(example));
        }
        text.replace('|', "\\|")
    }
}

/// The default, as it would be written.
fn default(property: &Value) -> String {
    let default = property.get("default").map(|default| format!("`{}`", plain(default)));
    default.unwrap_or_default().replace('|', "\\|")
}

/// The name of the definition that is referred to.
fn reference(property: &Value) -> Option<String> {
    property["$ref"].as_str().and_then(|path| path.rsplit('/').next()).map(str::to_owned)
}

/// The words of an enumeration.
fn words(definition: &Value) -> Option<Vec<String>> {
    let variants = definition["oneOf"].as_array()?;
    Some(variants.iter().filter_map(|variant| Some(format!("`{}`", variant["const"].as_str()?))).collect())
}

/// The anchor that a heading with this path gets.
fn anchor(path: &str) -> String {
    path.chars().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).collect::<String>().to_lowercase()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A value as it is written in the file, on one line.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(quoted).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => object(entries),
        other => other.to_string(),
    }
}

fn object(entries: &Map<String, Value>) -> String {
    let entries: Vec<String> =
        entries.iter().map(|(key, value)| format!("{key}: {}", quoted(value))).collect();
    format!("{{{}}}", entries.join(", "))
}

/// A value inside a list or mapping: text that YAML would read otherwise is quoted.
fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() || text.contains([':', ',', '{', '[', '*', '#']) => {
            format!("\"{text}\"")
        }
        other => plain(other),
    }
}
