//! Stages: what a source's entries pass through before they are batched.

use regex::Regex;

use crate::config::StageConfig;

/// The stages of one source, in order.
#[derive(Debug, Default)]
pub struct Stages(Vec<Stage>);

#[derive(Debug)]
enum Stage {
    /// Leaves out entries whose line matches.
    Drop(Regex),
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Kept,
    /// The stage of this name left it out.
    Dropped(&'static str),
}

impl Stages {
    /// The stages that a valid config describes.
    pub fn new(configs: &[StageConfig]) -> Result<Self, regex::Error> {
        let stage = |config: &StageConfig| match config {
            StageConfig::Drop { expression } => Regex::new(expression).map(Stage::Drop),
        };
        configs.iter().map(stage).collect::<Result<_, _>>().map(Stages)
    }

    /// Passes a line through.
    pub fn apply(&self, line: &str) -> Fate {
        for stage in &self.0 {
            match stage {
                Stage::Drop(expression) if expression.is_match(line) => return Fate::Dropped("drop"),
                Stage::Drop(_) => {}
            }
        }
        Fate::Kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_leaves_out_what_matches() {
        let stages = Stages::new(&[StageConfig::Drop { expression: "GET /-/healthy".into() }]).unwrap();
        assert_eq!(stages.apply("10.0.0.1 GET /-/healthy 200"), Fate::Dropped("drop"));
        assert_eq!(stages.apply("10.0.0.1 GET / 200"), Fate::Kept);
    }
}
