//! Effects: the countable facts a record adds (+1) or takes back (-1). Windows are sums of effects and nothing else,
//! so a window can be recounted from the journal by one GROUP BY.
//! Invariant: for the standing facts of a case (registered, answered, breached…), the sum of all its effects so far
//! equals the facts of the case now; a correction takes the old fact back where it was counted and adds the new one.

use crate::model::case::{BlockId, BodyId, Case, Flag, TerritoryId};
use crate::model::time::Time;
use crate::model::words::EffectKind;

/// One signed fact with its own time, body and value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Effect {
    pub kind: EffectKind,
    pub at: Time,
    /// +1 counts it, -1 takes back what was counted.
    pub sign: i8,
    /// Seconds, a rating or a reaction, by kind; zero otherwise.
    pub value: i32,
    pub body: BodyId,
    /// Counts in day windows only.
    pub day_only: bool,
}

/// The dimensions a fact is counted under besides its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dimensions {
    pub block: BlockId,
    pub territory: TerritoryId,
}

impl Dimensions {
    pub fn of(case: &Case) -> Dimensions {
        Dimensions { block: case.block, territory: case.territory }
    }
}

const STANDING: usize = 6;

/// The facts that stand as long as the case says so.
fn standing_facts(case: &Case) -> [Option<Effect>; STANDING] {
    let Some(registered_at) = case.registered_at else {
        return [None; STANDING]; // counted once it is known when the case began
    };
    let effect =
        |kind, at: Time, value, body| Some(Effect { kind, at, sign: 1, value, body, day_only: case.is(Flag::DayOnly) });
    let elapsed = |at: Time| i32::try_from(at.seconds_since(registered_at)).unwrap_or(i32::MAX);
    let received = if case.received_body == BodyId(0) { case.body } else { case.received_body };
    [
        effect(EffectKind::Registered, registered_at, 0, received),
        case.first_answer_at.and_then(|at| effect(EffectKind::FirstAnswered, at, elapsed(at), case.first_answer_body)),
        case.answered_at.and_then(|at| effect(EffectKind::Answered, at, elapsed(at), case.answer_body)),
        case.closed_at
            .and_then(|at| effect(EffectKind::Closed, at, elapsed(at), case.holder_at(at).unwrap_or(case.body))),
        case.first_breach_at().and_then(|at| effect(EffectKind::FirstBreached, at, 0, case.first_breach_body)),
        case.final_breach_at.and_then(|at| effect(EffectKind::FinalBreached, at, 0, case.breach_body)),
    ]
}

/// Appends what must be counted so that the sums move from the facts of `before` to those of `after`.
/// Effects with sign -1 belong to the dimensions of `before`, all others to those of `after`.
pub fn difference(before: Option<&Case>, after: &Case, effects: &mut Vec<Effect>) {
    let moved = before.is_some_and(|case| Dimensions::of(case) != Dimensions::of(after));
    let old = before.map_or([None; STANDING], standing_facts);
    let new = standing_facts(after);
    for (old, new) in old.into_iter().zip(new) {
        if old == new && !moved {
            continue;
        }
        if let Some(fact) = old {
            effects.push(Effect { sign: -1, ..fact });
        }
        if let Some(fact) = new {
            effects.push(fact);
        }
    }
}
