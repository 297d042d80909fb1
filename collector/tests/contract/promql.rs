//! Reads an expression and says what is wrong with it, and which labels its result has.

use std::collections::BTreeSet;

use promql_parser::label::{MatchOp, Matchers};
use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality, VectorSelector, parse,
    token,
};
use taffrail_core::Kind;

use crate::catalogue::Catalogue;

/// Want a counter (or what only says that it is untyped).
const OF_COUNTERS: [&str; 4] = ["rate", "irate", "increase", "resets"];
/// Want anything but a counter.
const OF_GAUGES: [&str; 4] = ["delta", "deriv", "idelta", "predict_linear"];

/// What there is to say of an expression.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Each a sentence; none: the expression is fine.
    pub(crate) problems: Vec<String>,
    /// Label names that its result can have.
    pub(crate) labels: BTreeSet<String>,
    /// For each selector: its metric, and the labels that it filters by.
    pub(crate) selectors: Vec<(String, BTreeSet<String>)>,
}

/// Checks an expression against the catalogue.
pub(crate) fn check(text: &str, catalogue: &Catalogue) -> Report {
    let mut walk = Walk { catalogue, report: Report::default() };
    match parse(text) {
        Ok(expr) => walk.report.labels = walk.expr(&expr),
        Err(error) => walk.say(format!("does not parse: {error}")),
    }
    walk.report
}

struct Walk<'a> {
    catalogue: &'a Catalogue,
    report: Report,
}

type Labels = BTreeSet<String>;

impl Walk<'_> {
    fn say(&mut self, problem: String) {
        self.report.problems.push(problem);
    }

    /// Checks the expression; gives the labels of its result.
    fn expr(&mut self, expr: &Expr) -> Labels {
        match expr {
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Call(call) => self.call(call),
            Expr::MatrixSelector(matrix) => self.selector(&matrix.vs),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => Labels::new(),
            Expr::Paren(paren) => self.expr(&paren.expr),
            Expr::Subquery(subquery) => self.expr(&subquery.expr),
            Expr::Unary(unary) => self.expr(&unary.expr),
            Expr::VectorSelector(selector) => self.selector(selector),
        }
    }

    fn selector(&mut self, selector: &VectorSelector) -> Labels {
        let Some(name) = name_of(selector) else {
            self.say("a selector without a metric's name matches anything: name one".to_owned());
            return Labels::new();
        };
        let asked: Labels = matcher_names(&selector.matchers).filter(|label| label != "__name__").collect();
        self.report.selectors.push((name.clone(), asked.clone()));
        let Some(series) = self.catalogue.find(&name) else {
            self.say(format!("{name} is not declared, recorded or on the list of foreign series"));
            return asked;
        };
        for label in asked.difference(&series.labels) {
            self.say(format!("{name} has no label {label}"));
        }
        series.labels
    }

    fn aggregate(&mut self, aggregate: &AggregateExpr) -> Labels {
        if let Some(param) = &aggregate.param {
            self.expr(param);
        }
        let inner = self.expr(&aggregate.expr);
        let op = aggregate.op.id();
        // These choose among series and leave them as they are.
        if matches!(op, token::T_TOPK | token::T_BOTTOMK) {
            return inner;
        }
        match &aggregate.modifier {
            None => Labels::new(),
            Some(modifier) => self.modified(modifier, &inner, "groups by"),
        }
    }

    /// What `by`/`on` keeps or `without`/`ignoring` leaves of the labels.
    fn modified(&mut self, modifier: &LabelModifier, inner: &Labels, does: &str) -> Labels {
        let named: Labels = modifier.labels().labels.iter().cloned().collect();
        for label in named.difference(inner) {
            self.say(format!("{does} {label}, which nothing in it has"));
        }
        match modifier {
            LabelModifier::Include(_) => named,
            LabelModifier::Exclude(_) => inner.difference(&named).cloned().collect(),
        }
    }

    fn binary(&mut self, binary: &BinaryExpr) -> Labels {
        let left = self.expr(&binary.lhs);
        let right = self.expr(&binary.rhs);
        if binary.op.is_set_operator() {
            return if binary.op.id() == token::T_LOR { &left | &right } else { left };
        }
        let both = &left | &right;
        let Some(modifier) = &binary.modifier else { return both };
        let matched = match &modifier.matching {
            Some(matching) => self.modified(matching, &both, "matches"),
            None => both.clone(),
        };
        match &modifier.card {
            VectorMatchCardinality::ManyToOne(taken) => &left | &taken.labels.iter().cloned().collect(),
            VectorMatchCardinality::OneToMany(taken) => &right | &taken.labels.iter().cloned().collect(),
            _ => matched,
        }
    }

    fn call(&mut self, call: &Call) -> Labels {
        let name = call.func.name;
        let mut labels = Labels::new();
        for argument in &call.args.args {
            labels.extend(self.expr(argument));
            self.right_kind(name, argument);
        }
        match name {
            "scalar" | "time" | "vector" => Labels::new(),
            "absent" | "absent_over_time" => {
                call.args.args.first().map(|arg| equalities(arg)).unwrap_or_default()
            }
            "label_replace" | "label_join" => {
                if let Some(Expr::StringLiteral(target)) = call.args.args.get(1).map(AsRef::as_ref) {
                    labels.insert(target.val.clone());
                }
                labels
            }
            _ => labels,
        }
    }

    fn right_kind(&mut self, function: &str, argument: &Expr) {
        let counters = OF_COUNTERS.contains(&function);
        if !counters && !OF_GAUGES.contains(&function) {
            return;
        }
        let Expr::MatrixSelector(matrix) = argument else {
            if matches!(argument, Expr::Subquery(_)) {
                self.say(format!("{function} over a subquery cannot be checked: record the inner part"));
            }
            return;
        };
        let Some((name, series)) = name_of(&matrix.vs).and_then(|n| self.catalogue.find(&n).map(|s| (n, s)))
        else {
            return; // said already
        };
        match (counters, series.kind) {
            (true, Kind::Gauge) => self.say(format!("{function} of {name}, which is not a counter")),
            (false, Kind::Counter) => self.say(format!("{function} of {name}, which is a counter")),
            _ => {}
        }
    }
}

fn name_of(selector: &VectorSelector) -> Option<String> {
    let by_label = || {
        let matcher = selector.matchers.matchers.iter().find(|m| m.name == "__name__")?;
        matches!(matcher.op, MatchOp::Equal).then(|| matcher.value.clone())
    };
    selector.name.clone().or_else(by_label)
}

fn matcher_names(matchers: &Matchers) -> impl Iterator<Item = String> {
    matchers.matchers.iter().chain(matchers.or_matchers.iter().flatten()).map(|matcher| matcher.name.clone())
}

/// `absent` can only give the labels that its selector asks to be equal to something.
fn equalities(argument: &Expr) -> Labels {
    let selector = match argument {
        Expr::VectorSelector(selector) => selector,
        Expr::MatrixSelector(matrix) => &matrix.vs,
        Expr::Paren(paren) => return equalities(&paren.expr),
        _ => return Labels::new(),
    };
    let equal = selector.matchers.matchers.iter().filter(|matcher| matches!(matcher.op, MatchOp::Equal));
    equal.map(|matcher| matcher.name.clone()).filter(|name| name != "__name__").collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::catalogue::Catalogue;

    #[test]
    fn fine_expressions_are_passed() {
        let catalogue = Catalogue::declared().unwrap();
        for text in [
            "node_load1{job='node'} / on (instance) group_left () count by (instance) (node_cpu_seconds_total{mode='idle'})",
            "rate(node_vmstat_pgmajfault[5m])",
            "topk(3, node_filesystem_avail_bytes) by (mountpoint)",
            "max_over_time((time() - timestamp(up))[1d:1m])",
            "label_replace(up, 'host', '$1', 'instance', '(.*):.*')",
        ] {
            assert_eq!(check(text, &catalogue).problems, Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn each_fault_is_named() {
        let catalogue = Catalogue::declared().unwrap();
        for (text, wanted) in [
            ("sum(rate(node_load1[5m])", "does not parse"),
            ("node_laod1", "node_laod1 is not declared"),
            ("node_memory_MemAvaliable_bytes", "node_memory_MemAvaliable_bytes is not declared"),
            ("{job='node'}", "without a metric's name"),
            ("node_load1{mode='idle'}", "node_load1 has no label mode"),
            ("rate(node_load1[5m])", "rate of node_load1, which is not a counter"),
            (
                "increase(node_memory_MemFree_bytes[5m])",
                "increase of node_memory_MemFree_bytes, which is not a counter",
            ),
            ("deriv(node_cpu_seconds_total[5m])", "deriv of node_cpu_seconds_total, which is a counter"),
            ("rate(node_load1[5m:1m])", "over a subquery"),
            ("sum by (disk) (node_load1)", "groups by disk"),
            ("sum without (cpu) (node_load1)", "groups by cpu"),
            ("node_load1 / on (cpu) node_load5", "matches cpu"),
        ] {
            let problems = check(text, &catalogue).problems;
            assert!(problems.iter().any(|problem| problem.contains(wanted)), "{text}: {problems:?}");
        }
    }

    #[test]
    fn labels_of_the_result_are_known() {
        let catalogue = Catalogue::declared().unwrap();
        for (text, wanted) in [
            ("sum by (mode) (node_cpu_seconds_total)", "mode"),
            ("count without (cpu, mode) (node_cpu_seconds_total)", "instance job"),
            ("sum(node_load1)", ""),
            ("absent_over_time(up{job='node'}[1d])", "job"),
            ("up or absent_over_time(up{job='node'}[1d])", "instance job"),
            ("vector(1)", ""),
        ] {
            let labels: Vec<_> = check(text, &catalogue).labels.into_iter().collect();
            assert_eq!(labels.join(" "), wanted, "{text}");
        }
    }
}
