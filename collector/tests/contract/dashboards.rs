//! Every dashboard: its expressions, labels, units and descriptions.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::catalogue::Catalogue;
use crate::promql;

/// Grafana's own variables, with a stand-in that parses. Longer names first: `$__rate_interval` begins with `$__r`.
const BUILT_IN: [(&str, &str); 5] = [
    ("$__rate_interval", "1m"),
    ("$__interval", "1m"),
    ("$__range", "1h"),
    ("$__auto", "1m"),
    ("$__from", "0"),
];

/// The oldest schema that the bundle's Grafana need not migrate.
const SCHEMA: u64 = 39;

/// What is wrong with a dashboard; `name` is its file's name.
pub(crate) fn check(name: &str, text: &str, catalogue: &Catalogue) -> Vec<String> {
    let board: Value = match serde_json::from_str(text) {
        Ok(board) => board,
        Err(error) => return vec![format!("{name}: not JSON: {error}")],
    };
    let mut check =
        Check { catalogue, place: name.to_owned(), variables: BTreeSet::new(), problems: Vec::new() };
    check.board(name, &board);
    check.problems
}

struct Check<'a> {
    catalogue: &'a Catalogue,
    place: String,
    variables: BTreeSet<String>,
    problems: Vec<String>,
}

impl Check<'_> {
    fn say(&mut self, problem: &str) {
        self.problems.push(format!("{}: {problem}", self.place));
    }

    fn board(&mut self, name: &str, board: &Value) {
        if format!("{}.json", text(board, "/uid")) != name {
            self.say("the uid is not the file's name");
        }
        if text(board, "/title").is_empty() || text(board, "/description").is_empty() {
            self.say("the dashboard lacks a title or a description");
        }
        if board["schemaVersion"].as_u64().unwrap_or(0) < SCHEMA {
            self.say("schemaVersion is missing or older than Grafana 11's");
        }
        let variables = array(board, "/templating/list");
        self.variables = variables.iter().map(|variable| text(variable, "/name").to_owned()).collect();
        for variable in variables {
            name.clone_into(&mut self.place);
            self.variable(variable);
        }
        for annotation in array(board, "/annotations/list") {
            self.place = format!("{name}, annotation {:?}", text(annotation, "/name"));
            if let Some(expr) = annotation["expr"].as_str() {
                self.expression(expr, text(annotation, "/titleFormat"));
            }
        }
        let panels = all_panels(board);
        if panels.is_empty() {
            self.say("there is no panel");
        }
        let mut ids = BTreeSet::new();
        for (i, panel) in panels.iter().enumerate() {
            self.place = format!("{name}, panel {:?}", text(panel, "/title"));
            if !ids.insert(panel["id"].as_u64()) {
                self.say("its id is missing or another panel's");
            }
            if panels[..i].iter().any(|other| overlap(panel, other)) {
                self.say("it lies over another panel");
            }
            self.panel(panel);
        }
    }

    /// `label_values(selector, label)` is the one kind of query that variables use.
    fn variable(&mut self, variable: &Value) {
        if text(variable, "/type") != "query" {
            return;
        }
        self.place = format!("{}, variable {:?}", self.place, text(variable, "/name"));
        let query = text(variable, "/query/query");
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let Some((selector, label)) = inner.and_then(|inner| inner.rsplit_once(',')) else {
            return self.say("its query is not label_values(selector, label)");
        };
        let labels = self.expression(selector, "");
        if !labels.contains(label.trim()) {
            self.say(&format!("its selector has no label {}", label.trim()));
        }
    }

    fn panel(&mut self, panel: &Value) {
        if text(panel, "/title").is_empty() {
            self.say("it has no title");
        }
        if text(panel, "/type") == "row" {
            return;
        }
        if text(panel, "/description").is_empty() {
            self.say("it has no description");
        }
        if text(panel, "/fieldConfig/defaults/unit").is_empty() {
            self.say("it has no unit");
        }
        let targets = array(panel, "/targets");
        if targets.is_empty() {
            self.say("it asks for nothing");
        }
        let mut refs = BTreeSet::new();
        for target in targets {
            if !refs.insert(text(target, "/refId")) {
                self.say("two of its queries have one refId");
            }
            let uid = text(target, "/datasource/uid");
            if !uid
                .strip_prefix("${")
                .and_then(|rest| rest.strip_suffix('}'))
                .is_some_and(|v| self.variables.contains(v))
            {
                self.say(&format!("the data source {uid:?} is not a variable of the dashboard"));
            }
            self.target(target);
        }
    }

    fn target(&mut self, target: &Value) {
        let expr = text(target, "/expr");
        match text(target, "/datasource/type") {
            "prometheus" => {
                self.expression(expr, text(target, "/legendFormat"));
            }
            // LogQL has a grammar of its own: collector/tests/logql.mjs reads it.
            "loki" => self.variables_of(expr),
            other => self.say(&format!("unknown type of data source {other:?}")),
        }
    }

    /// Checks an expression and the labels that its legend names; gives the labels of the result.
    fn expression(&mut self, expr: &str, legend: &str) -> BTreeSet<String> {
        self.variables_of(expr);
        let mut plain = expr.to_owned();
        for (variable, value) in BUILT_IN {
            plain = plain.replace(variable, value);
        }
        let report = promql::check(&plain, self.catalogue);
        for problem in report.problems {
            self.say(&format!("{problem}, in: {expr}"));
        }
        for label in braced(legend) {
            if !report.labels.contains(label) {
                self.say(&format!("its legend names {label}, which the result does not have: {expr}"));
            }
        }
        // The list of hosts is the one query that cannot be narrowed to a host.
        if self.variables.contains("instance") && !self.place.contains("variable") {
            for (metric, _) in report.selectors.iter().filter(|(_, labels)| !labels.contains("instance")) {
                self.say(&format!("{metric} is not narrowed to $instance, so it mixes hosts"));
            }
        }
        report.labels
    }

    fn variables_of(&mut self, expr: &str) {
        for part in expr.split('$').skip(1) {
            let name: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let built_in = BUILT_IN.iter().any(|(variable, _)| variable[1..] == name);
            if !built_in && !self.variables.contains(&name) {
                self.say(&format!("the variable ${name} is not defined"));
            }
        }
    }
}

fn all_panels(board: &Value) -> Vec<&Value> {
    let top = array(board, "/panels");
    top.iter().flat_map(|panel| std::iter::once(panel).chain(array(panel, "/panels"))).collect()
}

fn overlap(a: &Value, b: &Value) -> bool {
    let side = |panel: &Value, start: &str, length: &str| {
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap_or(0);
        at(start)..at(start) + at(length)
    };
    let meet = |start, length| {
        let (a, b) = (side(a, start, length), side(b, start, length));
        a.start < b.end && b.start < a.end
    };
    meet("x", "w") && meet("y", "h")
}

/// The names in `{{name}}`.
fn braced(legend: &str) -> impl Iterator<Item = &str> {
    legend.split("{{").skip(1).filter_map(|part| part.split_once("}}")).map(|(name, _)| name.trim())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn array<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::catalogue::Catalogue;
    use crate::{alerts, files};

    const GOOD: &str = include_str!("fixtures/dashboard.json");

    #[test]
    fn dashboards_are_sound() {
        let catalogue = alerts::with_recorded(Catalogue::declared().unwrap()).unwrap();
        let mut problems = Vec::new();
        for name in files::list("dashboards", ".json").unwrap() {
            let text = files::read(&format!("dashboards/{name}")).unwrap();
            problems.extend(check(&name, &text, &catalogue));
        }
        assert!(problems.is_empty(), "{problems:#?}");
    }

    #[test]
    fn each_fault_is_found() {
        let catalogue = Catalogue::declared().unwrap();
        let check = |text: &str| check("good.json", text, &catalogue);
        assert_eq!(check(GOOD), Vec::<String>::new());
        for (from, to, wanted) in [
            ("\"good\"", "\"other\"", "the uid is not the file's name"),
            ("\"A dashboard.\"", "\"\"", "lacks a title or a description"),
            ("\"schemaVersion\": 41", "\"schemaVersion\": 30", "schemaVersion"),
            ("\"Busy cores.\"", "\"\"", "no description"),
            ("\"unit\": \"percentunit\"", "\"unit\": \"\"", "no unit"),
            ("\"title\": \"Busy\"", "\"title\": \"\"", "no title"),
            ("\"targets\": [", "\"marks\": [", "asks for nothing"),
            ("\"id\": 2", "\"id\": 1", "another panel's"),
            ("\"y\": 8", "\"y\": 7", "lies over"),
            ("\"refId\": \"B\"", "\"refId\": \"A\"", "one refId"),
            ("\"${datasource}\"", "\"abc123\"", "is not a variable of the dashboard"),
            ("\"type\": \"prometheus\"", "\"type\": \"graphite\"", "unknown type"),
            ("node_cpu_seconds_total", "node_cpu_second_total", "is not declared"),
            ("rate(node_cpu_seconds_total", "deriv(node_cpu_seconds_total", "which is a counter"),
            ("[$__rate_interval]", "[$rate]", "variable $rate is not defined"),
            ("{{mode}}", "{{cpu}}", "its legend names cpu"),
            ("{instance=\\\"$instance\\\"}", "", "mixes hosts"),
            (
                "label_values(node_uname_info, instance)",
                "label_values(node_uname_info, host)",
                "no label host",
            ),
            ("label_values(node_uname_info, instance)", "node_uname_info", "is not label_values"),
            ("ALERTS{alertstate=", "ALERTS{state=", "ALERTS has no label state"),
        ] {
            files::refused(GOOD, (from, to), wanted, check);
        }
        assert!(check("{").iter().any(|problem| problem.contains("not JSON")));
    }
}
