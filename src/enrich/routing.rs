//! Who is responsible: block × topic × territory × day → bodies, by the rules of `reference/routing.toml`.
//! Owner: `enrich`; built once per version of the rules, read-only. Invariants: the first rule that fits wins; named bodies come
//! before local ones; an answer never names a body twice. `findings` looks at every combination there is, so what it calls
//! unreachable is.

use std::collections::HashSet;

use crate::config::reference::Reference;
use crate::config::routing::RoutingRule;

/// What is asked. Indices into the lists of the reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Question<'a> {
    pub block: u32,
    pub topic: Option<u32>,
    pub territory: Option<u32>,
    /// `yyyy-mm-dd`.
    pub day: &'a str,
}

/// The rules and what they speak of.
pub struct Routing<'r> {
    reference: &'r Reference,
}

/// Something `tsur check` tells about the rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// Nothing can fit the rule at all.
    Dead { rule: usize },
    /// Earlier rules take everything that fits it.
    Unreachable { rule: usize, taken_by: Vec<usize> },
    /// Neither rule is a case of the other, and both fit something: their order decides.
    Overlap { first: usize, second: usize, example: String },
    /// The rule fits, but names nobody there.
    NoBody { rule: usize, example: String, count: usize },
    /// Combinations that no rule fits.
    Uncovered { example: String, count: usize },
    /// No rule ever leads to this body.
    IdleBody { body: usize },
}

impl<'r> Routing<'r> {
    pub fn new(reference: &'r Reference) -> Routing<'r> {
        Routing { reference }
    }

    /// The responsible body first, then those that take part; empty when no rule fits.
    pub fn bodies(&self, question: &Question, found: &mut Vec<u32>) {
        found.clear();
        if let Some(rule) = self.reference.routing.iter().find(|rule| self.fits(rule, question)) {
            self.bodies_of(rule, question, found);
        }
    }

    /// The rule that decides.
    pub fn rule(&self, question: &Question) -> Option<&'r RoutingRule> {
        self.reference.routing.iter().find(|rule| self.fits(rule, question))
    }

    fn bodies_of(&self, rule: &RoutingRule, question: &Question, found: &mut Vec<u32>) {
        found.extend(&rule.bodies);
        for kind in &rule.local {
            let mut place = question.territory;
            while let Some(territory) = place {
                let before = found.len();
                for (body, index) in self.reference.bodies.iter().zip(0u32..) {
                    let local = body.kind == *kind
                        && body.territory == Some(territory)
                        && body.blocks.contains(&question.block);
                    if local && !found.contains(&index) {
                        found.push(index);
                    }
                }
                if found.len() > before {
                    break; // the nearest level answers
                }
                place = self.reference.territories[territory as usize].parent;
            }
        }
    }

    fn fits(&self, rule: &RoutingRule, question: &Question) -> bool {
        let from = rule.valid_from.as_deref().is_none_or(|day| day <= question.day);
        let to = rule.valid_to.as_deref().is_none_or(|day| question.day < day);
        let topic = rule.topics.is_empty() || question.topic.is_some_and(|topic| rule.topics.contains(&topic));
        from && to
            && topic
            && (rule.blocks.is_empty() || rule.blocks.contains(&question.block))
            && self.fits_place(rule, question)
    }

    fn fits_place(&self, rule: &RoutingRule, question: &Question) -> bool {
        if rule.territories.is_empty() && rule.kinds.is_empty() {
            return true;
        }
        let Some(index) = question.territory else { return false };
        let territory = &self.reference.territories[index as usize];
        let named = rule.territories.is_empty()
            || rule.territories.contains(&index)
            || territory.parent.is_some_and(|parent| rule.territories.contains(&parent));
        named && (rule.kinds.is_empty() || rule.kinds.contains(&territory.kind))
    }

    /// Everything that is odd about the rules, in the order of the file.
    pub fn findings(&self) -> Vec<Finding> {
        let rules = &self.reference.routing;
        if rules.is_empty() {
            return Vec::new();
        }
        let mut sums = vec![Sum::default(); rules.len()];
        let mut both = vec![vec![None; rules.len()]; rules.len()];
        let mut reached: HashSet<u32> = HashSet::new();
        let (mut uncovered, mut uncovered_example) = (0, None);
        let days = self.days();
        let mut bodies = Vec::new();
        for day in &days {
            for question in self.questions(day) {
                let fitting: Vec<usize> = (0..rules.len()).filter(|rule| self.fits(&rules[*rule], &question)).collect();
                let Some(winner) = fitting.first() else {
                    uncovered += 1;
                    uncovered_example.get_or_insert_with(|| self.tell(&question));
                    continue;
                };
                for (place, rule) in fitting.iter().enumerate() {
                    sums[*rule].fits += 1;
                    for other in &fitting[place + 1..] {
                        let (count, _) = both[*rule][*other].get_or_insert_with(|| (0usize, self.tell(&question)));
                        *count += 1;
                    }
                }
                sums[*winner].wins += 1;
                for loser in &fitting[1..] {
                    sums[*loser].taken_by.insert(*winner);
                }
                bodies.clear();
                self.bodies_of(&rules[*winner], &question, &mut bodies);
                reached.extend(&bodies);
                if bodies.is_empty() {
                    sums[*winner].empty += 1;
                    sums[*winner].empty_example.get_or_insert_with(|| self.tell(&question));
                }
            }
        }
        let mut findings = Vec::new();
        for (rule, sum) in sums.iter().enumerate() {
            if sum.fits == 0 {
                findings.push(Finding::Dead { rule });
            } else if sum.wins == 0 {
                let mut taken_by: Vec<usize> = sum.taken_by.iter().copied().collect();
                taken_by.sort_unstable();
                findings.push(Finding::Unreachable { rule, taken_by });
            }
            if let Some(example) = &sum.empty_example {
                findings.push(Finding::NoBody { rule, example: example.clone(), count: sum.empty });
            }
            for (second, shared) in both[rule].iter().enumerate() {
                // an exception before its rule is the way to write them
                if let Some((count, example)) = shared
                    && *count < sum.fits
                    && *count < sums[second].fits
                    && !self.is_exception(&rules[rule], &rules[second])
                {
                    findings.push(Finding::Overlap { first: rule, second, example: example.clone() });
                }
            }
        }
        if let Some(example) = uncovered_example {
            findings.push(Finding::Uncovered { example, count: uncovered });
        }
        let idle = (0..self.reference.bodies.len()).filter(|body| !reached.contains(&(*body as u32)));
        findings.extend(idle.map(|body| Finding::IdleBody { body }));
        findings
    }

    /// All themes of the first are themes of the second: a rule of a topic before the rule of its block.
    fn is_exception(&self, first: &RoutingRule, second: &RoutingRule) -> bool {
        let fits = |rule: &RoutingRule, question: &Question| {
            let topic = rule.topics.is_empty() || question.topic.is_some_and(|topic| rule.topics.contains(&topic));
            topic && (rule.blocks.is_empty() || rule.blocks.contains(&question.block))
        };
        let themes = self.questions("");
        themes.iter().filter(|theme| theme.territory.is_none()).all(|theme| !fits(first, theme) || fits(second, theme))
    }

    /// One day of each stretch on which the rules do not change.
    fn days(&self) -> Vec<String> {
        let rules = &self.reference.routing;
        let mut days: Vec<String> =
            rules.iter().flat_map(|rule| [&rule.valid_from, &rule.valid_to]).flatten().cloned().collect();
        days.push("0000-01-01".to_owned());
        days.sort();
        days.dedup();
        days
    }

    fn questions<'d>(&self, day: &'d str) -> Vec<Question<'d>> {
        let reference = self.reference;
        let without = (0..reference.blocks.len() as u32).map(|block| (block, None));
        let topics = reference.topics.iter().zip(0u32..).map(|(topic, index)| (topic.block, Some(index)));
        let themes: Vec<_> = without.chain(topics).collect();
        let places: Vec<Option<u32>> =
            std::iter::once(None).chain((0..reference.territories.len() as u32).map(Some)).collect();
        let ask = |(block, topic): &(u32, Option<u32>), territory: &Option<u32>| Question {
            block: *block,
            topic: *topic,
            territory: *territory,
            day,
        };
        themes.iter().flat_map(|theme| places.iter().map(move |place| ask(theme, place))).collect()
    }

    fn tell(&self, question: &Question) -> String {
        let reference = self.reference;
        let theme = match question.topic {
            Some(topic) => reference.topics[topic as usize].code.as_str(),
            None => reference.blocks[question.block as usize].code.as_str(),
        };
        let place =
            question.territory.map_or("no territory", |place| reference.territories[place as usize].code.as_str());
        format!("{theme} in {place}")
    }

    /// A finding as a line for people.
    pub fn say(&self, finding: &Finding) -> String {
        let rule = |index: &usize| format!("«{}»", self.reference.routing[*index].name);
        let at = |index: &usize| {
            let place = &self.reference.routing[*index].place;
            format!("{}:{}", place.file, place.line)
        };
        match finding {
            Finding::Dead { rule: index } => format!("{}: rule {} fits nothing", at(index), rule(index)),
            Finding::Unreachable { rule: index, taken_by } => {
                let others: Vec<String> = taken_by.iter().map(rule).collect();
                format!("{}: rule {} is never reached: {} stand before it", at(index), rule(index), others.join(", "))
            }
            Finding::Overlap { first, second, example } => format!(
                "{}: rules {} and {} both fit {example}, and neither is a case of the other: the first wins",
                at(second),
                rule(first),
                rule(second)
            ),
            Finding::NoBody { rule: index, example, count } => {
                format!("{}: rule {} names nobody for {example} (and {} more)", at(index), rule(index), count - 1)
            }
            Finding::Uncovered { example, count } => format!("no routing rule fits {example} (and {} more)", count - 1),
            Finding::IdleBody { body } => {
                format!("no routing rule leads to body {}", self.reference.bodies[*body].code)
            }
        }
    }
}

#[derive(Clone, Default)]
struct Sum {
    fits: usize,
    wins: usize,
    empty: usize,
    empty_example: Option<String>,
    taken_by: HashSet<usize>,
}

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
