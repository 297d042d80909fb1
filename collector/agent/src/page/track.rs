//! One chart's last hour: a row for each collection, a column for each line, bounded both ways.

use std::collections::VecDeque;

use serde::Serialize;

use super::charts::{Chart, Draw, Reduce, Rule, Unit};

/// How far back the charts reach, in milliseconds.
pub const SPAN_MS: i64 = 3_600_000;
/// Rows closer than this, in milliseconds, are merged: the last row is written anew until it is this far from the one
/// before it. A little under 5 s, so that an interval of 5 s with its jitter keeps every row.
const STEP_MS: i64 = 4_500;
/// The most rows: an hour at the closest step.
pub const ROWS: usize = (SPAN_MS / STEP_MS) as usize + 2;
/// The most lines a chart has. What comes later is counted, not kept.
pub const LINES: usize = 24;
/// The longest name of a line, in bytes.
const NAME_BYTES: usize = 96;
/// A counter's increase over a longer time than this says nothing about one moment.
const STALE_MS: i64 = 300_000;
/// Growth of a column, in rows: doubling would waste half of it.
const GROW: usize = 60;

/// The rows and lines of one chart.
#[derive(Debug)]
pub(super) struct Track {
    chart: &'static Chart,
    times: VecDeque<i64>,
    lines: Vec<Line>,
    /// Where the next sample's line is expected: samples come in much the same order every time.
    expected: usize,
    touched: bool,
    hidden: usize,
}

/// One line.
#[derive(Debug)]
struct Line {
    rule: usize,
    group: Box<str>,
    values: VecDeque<f32>,
    sum: Sum,
    /// The counter when the last row was begun, and at the last collection.
    base: Option<Reading>,
    last: Option<Reading>,
    of: f64,
    seen_ms: i64,
}

/// What the samples of one collection add up to.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    value: f64,
    over: f64,
    count: u32,
}

/// A counter at one time.
#[derive(Clone, Copy, Debug)]
struct Reading {
    ts_ms: i64,
    value: f64,
    count: u32,
}

/// What the API gives of one chart.
#[derive(Debug, Serialize)]
pub struct ChartView {
    /// A word for it.
    pub id: &'static str,
    /// What stands above it.
    pub title: &'static str,
    /// How its numbers are read.
    pub unit: Unit,
    /// How it is drawn.
    pub draw: Draw,
    /// What a high value means.
    pub help: &'static str,
    /// The usual time between rows in milliseconds; 0 before there are two.
    pub step_ms: i64,
    /// Lines that are not kept, because there are too many.
    pub hidden: usize,
    /// When each row was collected, in Unix milliseconds.
    pub t: Vec<i64>,
    /// The lines.
    pub series: Vec<LineView>,
}

/// What the API gives of one line.
#[derive(Debug, Serialize)]
pub struct LineView {
    /// What it is called.
    pub name: String,
    /// Whether it is to be drawn downwards.
    pub below: bool,
    /// What the last ratio is a ratio of: the size of a file system in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<f64>,
    /// A value for each row; none where there was nothing to know.
    pub values: Vec<Option<f32>>,
}

impl Track {
    pub(super) fn new(chart: &'static Chart) -> Self {
        Track { chart, times: VecDeque::new(), lines: Vec::new(), expected: 0, touched: false, hidden: 0 }
    }

    /// Begins a collection that has samples for this chart.
    pub(super) fn begin(&mut self) {
        self.hidden = 0;
    }

    /// Adds one sample of the present collection to the line of `rule` and `group`; `factor` is none for the divisor.
    pub(super) fn add(&mut self, rule: usize, group: &str, factor: Option<f64>, value: f64) {
        self.touched = true;
        let Some(line) = self.line(rule, group) else {
            // Each line once, not once a term.
            self.hidden += usize::from(factor.is_some_and(|f| f > 0.0));
            return;
        };
        match factor {
            Some(factor) => {
                line.sum.value += factor * value;
                line.sum.count += 1;
            }
            None => line.sum.over += value,
        }
    }

    fn line(&mut self, rule: usize, group: &str) -> Option<&mut Line> {
        let group = cut(group);
        let is = |line: &Line| line.rule == rule && *line.group == *group;
        let at = match self.lines.get(self.expected).filter(|line| is(line)) {
            Some(_) => self.expected,
            None => match self.lines.iter().position(is) {
                Some(at) => at,
                None if self.lines.len() < LINES => {
                    let mut values = VecDeque::with_capacity(self.times.len() + 1);
                    values.extend(std::iter::repeat_n(f32::NAN, self.times.len()));
                    self.lines.push(Line::new(rule, group, values));
                    self.lines.len() - 1
                }
                None => return None,
            },
        };
        self.expected = at + 1;
        self.lines.get_mut(at)
    }

    /// Ends the collection at `ts_ms`: its sums become a row.
    pub(super) fn finish(&mut self, ts_ms: i64) {
        if !std::mem::take(&mut self.touched) {
            return;
        }
        self.expected = 0;
        self.forget_future(ts_ms);
        let fresh = !self.last_is_open(ts_ms);
        if fresh {
            if self.times.len() == self.times.capacity() {
                self.times.reserve_exact(GROW);
            }
            self.times.push_back(ts_ms);
        } else if let Some(last) = self.times.back_mut() {
            *last = ts_ms;
        }
        for line in &mut self.lines {
            line.finish(&self.chart.rules[line.rule], ts_ms, fresh);
        }
        self.trim(ts_ms);
    }

    /// The clock was set back: rows of a time that has not come yet would hide the present.
    fn forget_future(&mut self, ts_ms: i64) {
        while self.times.back().is_some_and(|last| *last > ts_ms) {
            self.times.pop_back();
            for line in &mut self.lines {
                line.values.pop_back();
                line.base = None;
                line.last = None;
            }
        }
    }

    fn last_is_open(&self, ts_ms: i64) -> bool {
        let n = self.times.len();
        self.times.back() == Some(&ts_ms)
            || n >= 2
                && self.times[n - 1] - self.times[n - 2] < STEP_MS
                && ts_ms - self.times[n - 1] < STEP_MS
    }

    fn trim(&mut self, ts_ms: i64) {
        while self.times.len() > ROWS || self.times.front().is_some_and(|first| *first < ts_ms - SPAN_MS) {
            self.times.pop_front();
            for line in &mut self.lines {
                line.values.pop_front();
            }
        }
        self.lines.retain(|line| line.seen_ms >= ts_ms - SPAN_MS);
    }

    /// The rows after `since_ms`, with an empty row wherever collections failed to come.
    pub(super) fn view(&self, since_ms: i64) -> ChartView {
        let step_ms = self.step();
        let mut rows: Vec<(i64, Option<usize>)> = Vec::with_capacity(self.times.len());
        for (i, &t) in self.times.iter().enumerate() {
            if let Some(before) = i.checked_sub(1).map(|j| self.times[j])
                && step_ms > 0
                && t - before > step_ms * 5 / 2
            {
                rows.push((before + step_ms, None));
            }
            rows.push((t, Some(i)));
        }
        rows.retain(|(t, _)| *t > since_ms);
        let mut lines: Vec<_> =
            self.lines.iter().filter(|l| l.values.iter().any(|v| v.is_finite())).collect();
        lines.sort_by_key(|line| line.rule);
        ChartView {
            id: self.chart.id,
            title: self.chart.title,
            unit: self.chart.unit,
            draw: self.chart.draw,
            help: self.chart.help,
            step_ms,
            hidden: self.hidden,
            t: rows.iter().map(|(t, _)| *t).collect(),
            series: lines.iter().map(|line| line.view(self.chart, &rows)).collect(),
        }
    }

    /// The median time between rows.
    fn step(&self) -> i64 {
        let mut steps: Vec<i64> =
            self.times.iter().zip(self.times.iter().skip(1)).map(|(a, b)| b - a).collect();
        // The lower one of two: the first gap must not pass for the step.
        let middle = steps.len().saturating_sub(1) / 2;
        if steps.is_empty() { 0 } else { *steps.select_nth_unstable(middle).1 }
    }

    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        let line = |line: &Line| line.values.capacity() * size_of::<f32>() + line.group.len();
        self.times.capacity() * size_of::<i64>()
            + self.lines.capacity() * size_of::<Line>()
            + self.lines.iter().map(line).sum::<usize>()
    }
}

impl Line {
    fn new(rule: usize, group: &str, values: VecDeque<f32>) -> Self {
        let group = group.into();
        Line { rule, group, values, sum: Sum::default(), base: None, last: None, of: 0.0, seen_ms: i64::MIN }
    }

    /// Takes the sum as the value of the row at `ts_ms`; `fresh` when the row is new.
    fn finish(&mut self, rule: &Rule, ts_ms: i64, fresh: bool) {
        let sum = std::mem::take(&mut self.sum);
        if sum.count > 0 {
            self.seen_ms = ts_ms;
        }
        let value = match rule.reduce {
            Reduce::Gauge => self.gauge(rule, sum),
            Reduce::Rate => self.rate(sum, ts_ms, fresh),
            Reduce::MeanRate => self.rate(sum, ts_ms, fresh) / f64::from(sum.count),
        };
        let value = value as f32;
        if !fresh && let Some(last) = self.values.back_mut() {
            *last = value;
            return;
        }
        if self.values.len() == self.values.capacity() {
            self.values.reserve_exact(GROW);
        }
        self.values.push_back(value);
    }

    /// A sum of which a part is missing is not a sum.
    fn gauge(&mut self, rule: &Rule, sum: Sum) -> f64 {
        // Two mounts on one point, or none of them: the groups are whole when the counts divide.
        if sum.count == 0 || !(sum.count as usize).is_multiple_of(rule.terms.len()) {
            return f64::NAN;
        }
        if rule.over.is_none() {
            return sum.value;
        }
        self.of = sum.over;
        // 0 of 0 is no ratio: a machine without swap has no swap in use.
        sum.value / sum.over
    }

    /// The increase a second since the row before; none after a reset, or when other series were added up than before.
    fn rate(&mut self, sum: Sum, ts_ms: i64, fresh: bool) -> f64 {
        if fresh {
            self.base = self.last;
        }
        let now = (sum.count > 0).then_some(Reading { ts_ms, value: sum.value, count: sum.count });
        let steady =
            |then: &Reading| now.is_some_and(|now| now.count == then.count && now.value >= then.value);
        if !self.last.as_ref().is_some_and(steady) {
            self.base = None;
        }
        self.last = now;
        match (self.base, now) {
            (Some(then), Some(now)) if now.ts_ms > then.ts_ms && now.ts_ms - then.ts_ms <= STALE_MS => {
                (now.value - then.value) / ((now.ts_ms - then.ts_ms) as f64 / 1000.0)
            }
            _ => f64::NAN,
        }
    }

    fn view(&self, chart: &Chart, rows: &[(i64, Option<usize>)]) -> LineView {
        let rule = &chart.rules[self.rule];
        let name = match (&*self.group, rule.name) {
            ("", name) => name.to_owned(),
            (group, "") => group.to_owned(),
            (group, name) => format!("{group} {name}"),
        };
        let at = |row: Option<usize>| row.map(|i| self.values[i]).filter(|v| v.is_finite());
        LineView {
            name,
            below: rule.below,
            of: rule.over.map(|_| self.of).filter(|of| of.is_finite()),
            values: rows.iter().map(|(_, row)| at(*row)).collect(),
        }
    }
}

/// At most [`NAME_BYTES`] of a label's value.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(NAME_BYTES)]
}

#[cfg(test)]
#[path = "track_tests.rs"]
mod tests;
