//! A scrape that failed: how far it came, and why.

use crate::status::Stage;

/// Why there is no good page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// How far it came.
    pub stage: Stage,
    /// What a person has to look at.
    pub text: String,
}

impl Failed {
    /// What turns an error of `stage` into a failure.
    pub fn at<E: ToString>(stage: Stage) -> impl Fn(E) -> Failed {
        move |error| Failed { stage, text: error.to_string() }
    }
}
