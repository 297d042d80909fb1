//! Samples with more labels than their metric declares.

use std::borrow::Cow;

use super::Out;
use crate::metric::Family;
use crate::sample::SeriesDef;

impl Out {
    /// Gives one value of a declared metric that has labels beside those declared: a list of names that a user chose,
    /// the same for all of this scope's series, and this series' values for them. What has no value is left out.
    pub fn put_more<const N: usize>(
        &mut self,
        family: &'static Family<N>,
        labels: [&str; N],
        more: (&[Cow<'static, str>], &[Box<str>]),
        value: f64,
    ) {
        let metric = family.metric();
        let values = labels.iter().copied().chain(more.1.iter().map(|value| &**value));
        let series = match self.find(metric, "", &values) {
            Ok(series) => series,
            Err(hash) => {
                let declared =
                    metric.labels.iter().zip(labels).map(|(n, v)| (Cow::Borrowed(*n), Box::from(v)));
                let more = more.0.iter().zip(more.1).filter(|(_, value)| !value.is_empty());
                let labels = declared.chain(more.map(|(n, v)| (n.clone(), v.clone()))).collect();
                let def = SeriesDef { family: self.family(metric, ""), suffix: "", labels };
                self.insert(metric, "", values, hash, def)
            }
        };
        self.sample(series, value);
    }
}
