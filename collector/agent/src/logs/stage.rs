//! Stages: what a source's entries pass through before they are batched.

use taffrail_core::Pattern;

use crate::config::StageConfig;

/// The stages of one source, in order.
#[derive(Debug, Default)]
pub struct Stages(Vec<Stage>);

#[derive(Debug)]
enum Stage {
    /// Leaves out entries whose line matches.
    Drop(Pattern),
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
    pub fn new(configs: &[StageConfig]) -> Self {
        let stage = |config: &StageConfig| match config {
            StageConfig::Drop { expression } => Stage::Drop(expression.clone()),
        };
        Stages(configs.iter().map(stage).collect())
    }

    /// Passes a line through.
    pub fn apply(&self, line: &str) -> Fate {
        for stage in &self.0 {
            match stage {
                Stage::Drop(expression) if expression.matches(line.as_bytes()) => {
                    return Fate::Dropped("drop");
                }
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
        let stages =
            Stages::new(&[StageConfig::Drop { expression: Pattern::new("GET /-/healthy").unwrap() }]);
        assert_eq!(stages.apply("10.0.0.1 GET /-/healthy 200"), Fate::Dropped("drop"));
        assert_eq!(stages.apply("10.0.0.1 GET / 200"), Fate::Kept);
    }
}
