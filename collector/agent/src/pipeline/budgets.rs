//! Says when a budget of series is exceeded: in the log, as a note, and on the board.

use taffrail_core::Note;
use taffrail_core::note::Level;
use tracing::warn;

use crate::logs::Notes;
use crate::metrics::Cardinality;
use crate::metrics::budget::Budgets;
use crate::status::{Board, lock};

/// Looks at all budgets.
pub(super) fn look(budgets: &mut Budgets, cardinality: &Cardinality, board: &Board, notes: &Notes) {
    let looked = budgets.look(cardinality);
    for excess in &looked.new {
        warn!("{excess}; nothing is dropped for it, and /api/v1/cardinality has more");
        notes.send(Note {
            level: Level::Warn,
            event: "series_over_budget",
            text: excess.to_string(),
            facts: vec![
                ("of_job", excess.job.clone()),
                ("metric", excess.cause.metric.clone()),
                ("label", excess.cause.label.clone()),
                ("series", excess.series.to_string()),
                ("budget", excess.budget.to_string()),
            ],
        });
    }
    *lock(&board.over_budget) = looked.over;
}
