//! What came of several devices or files, of which one that is odd must not hide the others.

use taffrail_core::CollectError;

/// Counts what went well and what did not.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    good: bool,
    failed: Option<CollectError>,
}

impl Tally {
    /// One device's result. What is absent says nothing about the others. True if it went well.
    pub(crate) fn add(&mut self, result: Result<(), CollectError>) -> bool {
        match result {
            Ok(()) => self.good = true,
            Err(CollectError::Absent) => return false,
            Err(error) => {
                self.failed.get_or_insert(error);
                return false;
            }
        }
        true
    }

    /// The result of all: good if one was, else the first error.
    pub(crate) fn finish(self) -> Result<(), CollectError> {
        match self.failed {
            _ if self.good => Ok(()),
            Some(error) => Err(error),
            None => Err(CollectError::Absent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_good_device_is_enough() {
        let wrong = |text: &str| Err(CollectError::Other(text.into()));
        let of = |results: Vec<Result<(), CollectError>>| {
            let mut tally = Tally::default();
            results.into_iter().for_each(|result| _ = tally.add(result));
            tally.finish()
        };
        assert!(of(vec![wrong("a"), Ok(()), Err(CollectError::Absent)]).is_ok());
        assert_eq!(of(vec![Err(CollectError::Absent), wrong("a"), wrong("b")]).unwrap_err().to_string(), "a");
        assert!(matches!(of(vec![Err(CollectError::Absent)]), Err(CollectError::Absent)));
    }
}
