//! Open cases under other rules: their running clocks are counted anew, what has stopped stays as it was judged.
//! Owner: the case machine; the partition worker asks it when the rules change and after every restore. Invariants: the
//! result is a function of the facts of the case and of the rules, whatever deadlines the case had before, so it does not
//! matter over which rules one came; no standing fact changes, so nothing is counted.

use crate::model::apply::DeadlineRules;
use crate::model::case::{Case, Flag};

/// The case under these rules, or `None` where that is the case as it is.
pub fn redated(case: &Case, rules: &impl DeadlineRules) -> Option<Case> {
    if !case.is_open() || case.registered_at.is_none() {
        return None;
    }
    let deadlines = rules.deadlines(case);
    let mut new = *case;
    new.policy = deadlines.policy;
    if case.first_stop().is_none() {
        new.due_first = deadlines.due_first;
    }
    if case.final_stop().is_none() {
        new.due_final = deadlines.due_final;
    }
    new.due_stage = deadlines.due_stage;
    new.flags.set(Flag::StageIsDispatch, deadlines.stage_is_dispatch);
    new.flags.set(Flag::Paused, deadlines.is_paused);
    (new != *case).then_some(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::apply::Deadlines;
    use crate::model::case::Paused;
    use crate::model::ids::CaseKey;
    use crate::model::time::Time;
    use crate::model::words::Status;

    struct Days(i64);

    impl DeadlineRules for Days {
        fn deadlines(&self, case: &Case) -> Deadlines {
            let due = |days: i64| case.registered_at.map(|at| at.plus_seconds(days * 86_400));
            Deadlines {
                policy: self.0 as u16,
                due_first: due(self.0),
                due_final: due(2 * self.0),
                ..Deadlines::default()
            }
        }

        fn pause(&self, _: &Case, _: Time, _: Time) -> Paused {
            Paused::default()
        }
    }

    fn open_case() -> Case {
        let mut case = Case::unknown(CaseKey(1));
        case.registered_at = Time::from_unix_seconds(1_700_000_000);
        case.status = Status::InWork;
        redated(&case, &Days(3)).expect("it had no deadline")
    }

    #[test]
    fn running_clocks_move_with_the_rules_and_come_back_with_them() {
        let case = open_case();
        let moved = redated(&case, &Days(5)).expect("other rules");
        assert_eq!(moved.due_final, case.registered_at.map(|at| at.plus_seconds(10 * 86_400)));
        assert_eq!(redated(&moved, &Days(3)), Some(case));
        assert_eq!(redated(&case, &Days(3)), None, "the rules it has already");
    }

    #[test]
    fn a_clock_that_has_stopped_and_a_case_that_has_ended_keep_their_deadlines() {
        let mut answered = open_case();
        answered.first_answer_at = answered.registered_at.map(|at| at.plus_seconds(4 * 86_400));
        let moved = redated(&answered, &Days(5)).expect("the final answer still runs");
        assert_eq!((moved.due_first, moved.first_breach_at()), (answered.due_first, answered.due_first));
        assert_ne!(moved.due_final, answered.due_final);
        let mut ended = answered;
        ended.status = Status::Closed;
        assert_eq!(redated(&ended, &Days(5)), None);
    }
}
