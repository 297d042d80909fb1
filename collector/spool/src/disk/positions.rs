//! What the log on disk remembers beside its records: the cursors, and which positions were given away.

use crate::ledger::Ledger;
use crate::log::{Position, SegmentId};
use crate::segment::Spot;

/// Positions begin at a multiple of 2 to the power of this after each restart.
const EPOCH_BITS: u32 = 32;

/// The first position after a restart. Positions that were given away since the state was last saved are not known, so
/// the next epoch is taken: more than can have been appended meanwhile.
pub(crate) fn epoch(last: Position) -> Position {
    (last >> EPOCH_BITS).saturating_add(1) << EPOCH_BITS
}

/// The state as it is saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) next: Position,
    pub(crate) next_segment: u64,
    pub(crate) cursors: Vec<SavedCursor>,
}

/// One cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedCursor {
    pub(crate) name: String,
    pub(crate) committed: Spot,
    pub(crate) seen_ms: i64,
    /// When the oldest record was appended that it has yet to commit; 0 if there was none.
    pub(crate) pending_ms: i64,
}

impl Saved {
    /// What there is to save now.
    pub(crate) fn of(ledger: &Ledger, now_ms: i64) -> Self {
        let cursors = ledger.cursors.iter().map(|cursor| SavedCursor {
            name: cursor.name.to_string(),
            committed: cursor.committed,
            // To the minute: an idle log need not be saved every second.
            seen_ms: if cursor.open { now_ms - now_ms.rem_euclid(60_000) } else { cursor.seen_ms },
            pending_ms: cursor.pending_ms.unwrap_or(0),
        });
        Saved { next: ledger.next, next_segment: ledger.next_segment.0, cursors: cursors.collect() }
    }

    /// Whether a restart from `last` would do as well as from this: where there is no cursor, nobody knows a position or
    /// a segment, and the positions' epoch is all that counts.
    pub(crate) fn adds_nothing_to(&self, last: &Self) -> bool {
        let nobody = self.cursors.is_empty() && last.cursors.is_empty();
        nobody && self.next >> EPOCH_BITS == last.next >> EPOCH_BITS
    }

    /// Takes over what `recent` knows better: cursors only ever move on.
    pub(crate) fn catch_up(&mut self, recent: &Self) {
        self.next = self.next.max(recent.next);
        self.next_segment = self.next_segment.max(recent.next_segment);
        for cursor in &mut self.cursors {
            let known = recent.cursors.iter().find(|known| known.name == cursor.name);
            if let Some(known) = known.filter(|known| known.committed.position > cursor.committed.position) {
                *cursor = known.clone();
            }
        }
    }

    /// Numbers of 8 bytes, little-endian: next position, next segment, and for each cursor its position, segment,
    /// offset, time last seen, time of its oldest pending record, length of its name, and the name.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut number = |n: u64| out.extend_from_slice(&n.to_le_bytes());
        number(self.next);
        number(self.next_segment);
        for cursor in &self.cursors {
            let at = cursor.committed;
            let (times, length) = ([cursor.seen_ms, cursor.pending_ms], cursor.name.len());
            for n in [at.position, at.segment.0, at.offset, times[0] as u64, times[1] as u64, length as u64] {
                out.extend_from_slice(&n.to_le_bytes());
            }
            out.extend_from_slice(cursor.name.as_bytes());
        }
        out
    }

    /// Reads what [`Saved::encode`] wrote; `None` for anything else.
    pub(crate) fn decode(mut data: &[u8]) -> Option<Self> {
        let (next, next_segment) = (number(&mut data)?, number(&mut data)?);
        let mut cursors = Vec::new();
        while !data.is_empty() {
            let (position, segment, offset) = (number(&mut data)?, number(&mut data)?, number(&mut data)?);
            let (seen_ms, pending_ms) = (number(&mut data)? as i64, number(&mut data)? as i64);
            let length = usize::try_from(number(&mut data)?).ok()?;
            let (name, rest) = data.split_at_checked(length)?;
            data = rest;
            cursors.push(SavedCursor {
                name: String::from_utf8(name.to_vec()).ok()?,
                committed: Spot { position, segment: SegmentId(segment), offset },
                seen_ms,
                pending_ms,
            });
        }
        Some(Saved { next, next_segment, cursors })
    }
}

fn number(data: &mut &[u8]) -> Option<u64> {
    let (head, rest) = data.split_first_chunk::<8>()?;
    *data = rest;
    Some(u64::from_le_bytes(*head))
}
