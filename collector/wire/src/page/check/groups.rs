//! Whether the buckets of a classic histogram agree with each other.

use std::borrow::Cow;

use super::Fault;
use super::fault::short;
use crate::remote_write::MetricKind;
use crate::text;

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The histogram whose series stand here.
#[derive(Debug, Default)]
struct Group {
    name: String,
    labels: Vec<(String, String)>,
    /// Bound and count of the bucket before.
    last: Option<(f64, f64)>,
    inf: Option<f64>,
    count: Option<f64>,
}

/// The histograms of a page, one after the other.
#[derive(Debug, Default)]
pub(super) struct Groups {
    group: Option<Group>,
}

impl Groups {
    /// A sample of a family of this type.
    pub(super) fn sample(
        &mut self,
        kind: Option<MetricKind>,
        labels: &[Pair<'_>],
        value: f64,
        faults: &mut Vec<Fault>,
    ) {
        let name = labels.iter().find(|(name, _)| name == "__name__").map_or("", |(_, value)| value);
        let part = ["_bucket", "_count", "_sum"].into_iter().find(|part| name.ends_with(part));
        let Some(part) = part.filter(|_| kind == Some(MetricKind::Histogram)) else {
            return self.finish(faults);
        };
        let family = &name[..name.len() - part.len()];
        let rest = || labels.iter().filter(|(name, _)| name != "le" && name != "__name__");
        let same = self.group.as_ref().is_some_and(|group| {
            let pairs = group.labels.iter().map(|(name, value)| (&**name, &**value));
            group.name == family && pairs.eq(rest().map(|(name, value)| (&**name, &**value)))
        });
        if !same {
            self.finish(faults);
        }
        let group = self.group.get_or_insert_with(|| Group {
            name: family.to_owned(),
            labels: rest().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            ..Group::default()
        });
        match part {
            "_count" => group.count = Some(value),
            "_bucket" => {
                let bound = labels.iter().find(|(name, _)| name == "le");
                match bound.and_then(|(_, text)| text::value(text.as_bytes())) {
                    Some(bound) => group.bucket(bound, value, faults),
                    None => faults.push(Fault::NoNumber { name: short(name), label: "le" }),
                }
            }
            _ => {}
        }
    }

    /// The histogram has ended.
    pub(super) fn finish(&mut self, faults: &mut Vec<Fault>) {
        let Some(group) = self.group.take() else { return };
        let name = short(&group.name);
        match (group.inf, group.count) {
            (None, _) => faults.push(Fault::NoInf { name }),
            (Some(inf), Some(count)) if inf != count => faults.push(Fault::CountDiffers { name, inf, count }),
            _ => {}
        }
    }
}

impl Group {
    fn bucket(&mut self, bound: f64, count: f64, faults: &mut Vec<Fault>) {
        if let Some((smaller, fewer)) = self.last {
            if bound < smaller {
                faults.push(Fault::BoundsFall { name: short(&self.name) });
            } else if count < fewer {
                faults.push(Fault::NotCumulative { name: short(&self.name) });
            }
        }
        self.last = Some((bound, count));
        if bound == f64::INFINITY {
            self.inf = Some(count);
        }
    }
}
