//! Which bodies the rules of routing propose for a case, as the journal keeps it: one interned list of codes.
//! Owner: one mapper, which asks once a case, when its opening is known. Invariants: pure: the same block, topic, territory
//! and day give the same list, whatever was asked before; memory is bounded by the dictionaries.

use std::collections::HashMap;
use std::sync::Arc;

use crate::enrich::routing::{Question, Routing};
use crate::mapping::dictionaries::Dictionaries;
use crate::model::calendar::MoscowDay;
use crate::model::case::{BlockId, Case, TerritoryId, TopicId};

/// Block, topic, territory, and the stretch of days on which the rules do not change.
type Key = (BlockId, TopicId, TerritoryId, usize);

pub struct Proposer {
    dictionaries: Arc<Dictionaries>,
    /// Days on which rules begin or end, `yyyy-mm-dd`, sorted.
    turns: Vec<(MoscowDay, String)>,
    known: HashMap<Key, u16, foldhash::fast::RandomState>,
    bodies: Vec<u32>,
}

impl Proposer {
    pub fn new(dictionaries: Arc<Dictionaries>) -> Proposer {
        let rules = &dictionaries.reference().routing;
        let days = rules.iter().flat_map(|rule| [&rule.valid_from, &rule.valid_to]).flatten();
        let mut turns: Vec<(MoscowDay, String)> = days.filter_map(|day| Some((day_of(day)?, day.clone()))).collect();
        turns.sort();
        turns.dedup();
        Proposer { dictionaries, turns, known: HashMap::default(), bodies: Vec::new() }
    }

    /// The number of the list in `NameLists::proposals`; zero when no rule fits or the block is not known.
    pub fn proposal(&mut self, case: &Case) -> u16 {
        if case.block == BlockId(0) {
            return 0;
        }
        let day = case.registered_at.map_or(MoscowDay(0), MoscowDay::of);
        let stretch = self.turns.partition_point(|(turn, _)| *turn <= day);
        let key = (case.block, case.topic, case.territory, stretch);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let number = self.ask(key);
        self.known.insert(key, number);
        number
    }

    fn ask(&mut self, (block, topic, territory, stretch): Key) -> u16 {
        let dictionaries = &self.dictionaries;
        let Some(block) = dictionaries.place_of_block(block) else { return 0 };
        // every day of a stretch has the rules of its first day
        let day = stretch.checked_sub(1).map_or("0000-01-01", |turn| self.turns[turn].1.as_str());
        let (topic, territory) = (dictionaries.place_of_topic(topic), dictionaries.place_of_territory(territory));
        let question = Question { block, topic, territory, day };
        Routing::new(dictionaries.reference()).bodies(&question, &mut self.bodies);
        let codes: Vec<&str> =
            self.bodies.iter().map(|body| dictionaries.reference().bodies[*body as usize].code.as_str()).collect();
        dictionaries.names.proposals.number(&codes.join(","))
    }
}

fn day_of(text: &str) -> Option<MoscowDay> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    MoscowDay::from_date(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reference::Reference;
    use crate::enrich::enricher::TextBooks;
    use crate::enrich::names::NameLists;
    use crate::model::ids::CaseKey;
    use crate::model::time::Time;

    fn proposer(change: impl FnOnce(&mut Reference)) -> Proposer {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        let config = crate::config::load(&folder, &|_| None).expect("the shipped configuration is sound");
        let mut reference = config.reference.clone();
        change(&mut reference);
        let texts = TextBooks::build(&reference.texts).expect("sound phrases");
        Proposer::new(Arc::new(Dictionaries::new(Arc::new(reference), Arc::new(NameLists::default()), texts)))
    }

    fn case(proposer: &Proposer, block: &str, territory: &str, day: MoscowDay) -> Case {
        let names = &proposer.dictionaries.names;
        Case {
            block: BlockId(names.blocks.number(block) as u8),
            territory: TerritoryId(names.territories.number(territory)),
            registered_at: Time::from_unix_seconds(i64::from(day.0) * 86_400),
            ..Case::unknown(CaseKey(1))
        }
    }

    fn told(proposer: &mut Proposer, case: &Case) -> String {
        let number = proposer.proposal(case);
        proposer.dictionaries.names.proposals.name(number).to_string()
    }

    #[test]
    fn the_proposal_is_what_the_rules_say_and_is_the_same_when_asked_again() {
        let mut proposer = proposer(|_| {});
        let day = MoscowDay::from_date(2026, 3, 1).expect("a day");
        for territory in ["", "skopinsky", "ryazan", "ryazan.sovetsky"] {
            let case = case(&proposer, "roads", territory, day);
            let dictionaries = proposer.dictionaries.clone();
            let reference = dictionaries.reference();
            let question = Question {
                block: reference.block("roads").expect("there"),
                topic: None,
                territory: reference.territories.iter().position(|known| known.code == territory).map(|at| at as u32),
                day: "2026-03-01",
            };
            let mut bodies = Vec::new();
            Routing::new(reference).bodies(&question, &mut bodies);
            let expected: Vec<&str> =
                bodies.iter().map(|body| reference.bodies[*body as usize].code.as_str()).collect();
            assert_eq!(told(&mut proposer, &case), expected.join(","), "{territory}");
            assert_eq!(told(&mut proposer, &case), expected.join(","), "{territory}, from memory");
        }
        let unknown = Case { block: BlockId(0), ..case(&proposer, "roads", "ryazan", day) };
        assert_eq!(told(&mut proposer, &unknown), "");
    }

    #[test]
    fn a_rule_holds_from_its_first_day_to_the_day_before_its_end() {
        let mut proposer = proposer(|reference| {
            let all = reference.routing[0].clone();
            let rule = |bodies: Vec<u32>, from: Option<&str>, to: Option<&str>| crate::config::routing::RoutingRule {
                blocks: Vec::new(),
                topics: Vec::new(),
                territories: Vec::new(),
                kinds: Vec::new(),
                local: Vec::new(),
                bodies,
                valid_from: from.map(str::to_owned),
                valid_to: to.map(str::to_owned),
                ..all.clone()
            };
            reference.routing =
                vec![rule(vec![0], None, Some("2026-03-01")), rule(vec![1, 0], Some("2026-03-01"), None)];
        });
        let codes: Vec<String> =
            proposer.dictionaries.reference().bodies[..2].iter().map(|body| body.code.clone()).collect();
        let on = |day| MoscowDay::from_date(2026, day, 1).expect("a day");
        let before = case(&proposer, "roads", "", MoscowDay(on(3).0 - 1));
        assert_eq!(told(&mut proposer, &before), codes[0]);
        let after = case(&proposer, "roads", "", on(3));
        assert_eq!(told(&mut proposer, &after), format!("{},{}", codes[1], codes[0]));
    }
}
