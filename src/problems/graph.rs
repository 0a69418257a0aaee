//! Which cases are one problem: the connected ones, named by the earliest message among them.
//! Owner: the job, one. Invariants: pure; the earliest message only gets earlier and a link only stronger, and
//! [`Row::version`] grows with both, so rows may be written in any order; memory is bounded by the messages remembered and
//! by the older members of their problems, of which [`KEPT`] times as many are known: a problem that never ends would
//! otherwise keep every case it ever had. Older ones keep the problem their row names, also when an earlier root is heard of.

use std::collections::{HashMap, HashSet, VecDeque};

use foldhash::fast::FixedState;

use crate::enrich::repeats::{Link, Message, RepeatIndex, RepeatRules};

/// The message that names a problem: the earliest, and of equally early ones the smallest key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Root {
    /// Unix seconds.
    pub since: u32,
    pub case: u64,
}

/// A case of a problem, as the table has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    pub case: u64,
    /// Its own message, Unix seconds.
    pub at: u32,
    pub root: Root,
    /// The strongest link it has.
    pub link: Link,
}

impl Row {
    /// Grows as the root gets earlier and, with the same root, as the link gets stronger.
    pub fn version(&self) -> u64 {
        let early = u64::from(u32::MAX - self.root.since) << 32;
        let small = (!self.root.case >> 34) << 2;
        early | small | u64::from(3 - link_code(self.link))
    }
}

/// The number of a link in the table; stronger ones first.
pub fn link_code(link: Link) -> u8 {
    match link {
        Link::Author => 1,
        Link::Place => 2,
        Link::Text => 3,
    }
}

pub fn link_of(code: u8) -> Option<Link> {
    [Link::Author, Link::Place, Link::Text].into_iter().find(|link| link_code(*link) == code)
}

/// Members known for each message remembered.
const KEPT: usize = 2;

struct Member {
    group: u32,
    at: u32,
    link: Option<Link>,
    /// Its message can be linked still.
    is_remembered: bool,
}

struct Group {
    root: Root,
    members: Vec<u64>,
    /// Members whose messages are remembered.
    alive: usize,
}

/// The messages of the last time and what belongs together among them.
pub struct Graph {
    index: RepeatIndex,
    limit: usize,
    members: HashMap<u64, Member, FixedState>,
    groups: HashMap<u32, Group, FixedState>,
    by_root: HashMap<u64, u32, FixedState>,
    remembered: VecDeque<u64>,
    next_group: u32,
    /// Cases whose link got stronger.
    changed: Vec<u64>,
    /// Groups all members of which have another root than their rows. A group and not its members: while a backlog is read
    /// a root may get earlier with every message.
    renamed: HashSet<u32, FixedState>,
    /// Rows that changed of members that are known no more.
    last_words: Vec<Row>,
}

impl Graph {
    /// Remembers `limit` messages.
    pub fn new(rules: RepeatRules, limit: usize) -> Graph {
        Graph {
            index: RepeatIndex::new(rules, limit),
            limit: limit.max(1),
            members: HashMap::default(),
            groups: HashMap::default(),
            by_root: HashMap::default(),
            remembered: VecDeque::new(),
            next_group: 0,
            changed: Vec::new(),
            renamed: HashSet::default(),
            last_words: Vec::new(),
        }
    }

    /// Takes what the table says before the messages of its problems are added.
    pub fn restore(&mut self, row: &Row) {
        if self.members.contains_key(&row.case) {
            return;
        }
        let group = match self.by_root.get(&row.root.case) {
            Some(group) => *group,
            None => self.found(row.root),
        };
        self.members.insert(row.case, Member { group, at: row.at, link: Some(row.link), is_remembered: false });
        if let Some(group) = self.groups.get_mut(&group) {
            group.root = group.root.min(row.root);
            group.members.push(row.case);
        }
    }

    /// Problems of which no message was added since they were restored go.
    pub fn forget_restored(&mut self) {
        let dead: Vec<u32> =
            self.groups.iter().filter(|(_, group)| group.alive == 0).map(|(number, _)| *number).collect();
        dead.into_iter().for_each(|group| self.drop_group(group));
        self.trim();
    }

    /// Adds the message that opens a case; a case is taken once.
    pub fn add(&mut self, message: Message) {
        let at = u32::try_from(message.at).unwrap_or(0);
        match self.members.get_mut(&message.case) {
            // restored, and its message comes now
            Some(member) => match self.groups.get_mut(&member.group) {
                Some(group) => {
                    group.alive += 1;
                    member.is_remembered = true;
                }
                None => return,
            },
            None => {
                let group = self.found(Root { since: at, case: message.case });
                self.members.insert(message.case, Member { group, at, link: None, is_remembered: true });
                if let Some(group) = self.groups.get_mut(&group) {
                    group.members.push(message.case);
                    group.alive = 1;
                }
            }
        }
        self.remembered.push_back(message.case);
        let mut links = Vec::new();
        self.index.link_all(message, |case, link| links.push((case, link)));
        for (case, link) in links {
            if self.members.contains_key(&case) {
                self.strengthen(case, link);
                self.strengthen(message.case, link);
                self.join(message.case, case);
            }
        }
        if self.remembered.len() > self.limit {
            self.forget_oldest();
        }
        self.trim();
    }

    /// Drops the members that cannot be linked any more, when they are too many; all at once, so that it costs little a message.
    fn trim(&mut self) {
        if self.members.len() <= KEPT * self.limit {
            return;
        }
        self.last_words = self.take_changed();
        self.members.retain(|_, member| member.is_remembered);
        for group in self.groups.values_mut() {
            group.members.retain(|case| self.members.contains_key(case));
        }
    }

    /// Whether the message of a case was added and is remembered, or its row was restored.
    pub fn knows(&self, case: u64) -> bool {
        self.members.contains_key(&case)
    }

    /// Rows that changed since this was asked last. To be asked before `limit` more messages are added: a problem all of
    /// whose messages are forgotten is not told any more.
    pub fn take_changed(&mut self) -> Vec<Row> {
        let mut cases = std::mem::take(&mut self.changed);
        for group in self.renamed.drain() {
            cases.extend(self.groups.get(&group).iter().flat_map(|group| &group.members));
        }
        cases.sort_unstable();
        cases.dedup();
        let mut rows = std::mem::take(&mut self.last_words);
        rows.extend(cases.into_iter().filter_map(|case| self.row(case)));
        rows
    }

    fn row(&self, case: u64) -> Option<Row> {
        let member = self.members.get(&case)?;
        let root = self.groups.get(&member.group)?.root;
        Some(Row { case, at: member.at, root, link: member.link? })
    }

    fn found(&mut self, root: Root) -> u32 {
        let number = self.next_group;
        self.next_group = self.next_group.wrapping_add(1);
        self.groups.insert(number, Group { root, members: Vec::new(), alive: 0 });
        self.by_root.insert(root.case, number);
        number
    }

    fn strengthen(&mut self, case: u64, link: Link) {
        if let Some(member) = self.members.get_mut(&case)
            && member.link.is_none_or(|known| link < known)
        {
            member.link = Some(link);
            self.changed.push(case);
        }
    }

    /// The smaller problem joins the larger; members whose root changes are told.
    fn join(&mut self, one: u64, other: u64) {
        let (Some(one), Some(other)) = (self.members.get(&one), self.members.get(&other)) else { return };
        let (one, other) = (one.group, other.group);
        if one == other {
            return;
        }
        let size = |group: u32| self.groups.get(&group).map_or(0, |group| group.members.len());
        let (small, large) = if size(one) < size(other) { (one, other) } else { (other, one) };
        let Some(gone) = self.groups.remove(&small) else { return };
        let Some(kept) = self.groups.get_mut(&large) else { return };
        let root = gone.root.min(kept.root);
        if self.renamed.remove(&small) || root != gone.root {
            self.changed.extend(&gone.members);
        }
        if root != kept.root {
            self.renamed.insert(large);
        }
        self.by_root.remove(&gone.root.case);
        self.by_root.remove(&kept.root.case);
        self.by_root.insert(root.case, large);
        kept.root = root;
        kept.alive += gone.alive;
        for case in &gone.members {
            if let Some(member) = self.members.get_mut(case) {
                member.group = large;
            }
        }
        kept.members.extend(gone.members);
    }

    fn forget_oldest(&mut self) {
        let Some(case) = self.remembered.pop_front() else { return };
        let Some(member) = self.members.get_mut(&case) else { return };
        member.is_remembered = false;
        let number = member.group;
        let Some(group) = self.groups.get_mut(&number) else { return };
        group.alive = group.alive.saturating_sub(1);
        if group.alive == 0 {
            self.drop_group(number);
        }
    }

    fn drop_group(&mut self, number: u32) {
        let Some(group) = self.groups.remove(&number) else { return };
        self.renamed.remove(&number);
        self.by_root.remove(&group.root.case);
        for case in group.members {
            self.members.remove(&case);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn message(case: u64, hour: i64, author: u64, address: u64) -> Message {
        Message { case, at: hour * 3600, author, address, topic: 1, ..Message::default() }
    }

    /// The table: of a case, the row of the highest version.
    fn upsert(table: &mut BTreeMap<u64, Row>, rows: Vec<Row>) {
        for row in rows {
            let newer = table.get(&row.case).is_none_or(|known| known.version() <= row.version());
            if newer {
                table.insert(row.case, row);
            }
        }
    }

    fn table_of(messages: &[Message]) -> BTreeMap<u64, Row> {
        let mut graph = Graph::new(RepeatRules::default(), 1000);
        let mut table = BTreeMap::new();
        for message in messages {
            graph.add(*message);
            upsert(&mut table, graph.take_changed());
        }
        table
    }

    #[test]
    fn the_earliest_message_names_the_problem_and_one_that_links_two_joins_them() {
        let messages = [message(1, 5, 10, 0), message(2, 6, 10, 0), message(3, 3, 0, 7), message(4, 7, 0, 7)];
        let table = table_of(&messages);
        assert_eq!(table[&2].root, Root { since: 5 * 3600, case: 1 });
        assert_eq!(table[&4].root, Root { since: 3 * 3600, case: 3 });
        let joined: Vec<Message> = messages.into_iter().chain([message(5, 8, 10, 7)]).collect();
        let table = table_of(&joined);
        assert!(table.values().all(|row| row.root.case == 3) && table.len() == 5, "{table:?}");
        assert_eq!((table[&4].link, table[&5].link), (Link::Place, Link::Author));
    }

    #[test]
    fn a_case_alone_is_no_problem() {
        assert!(table_of(&[message(1, 1, 10, 0), message(2, 1, 11, 0)]).is_empty());
    }

    #[test]
    fn a_restart_goes_on_where_the_table_stands() {
        let messages = [message(1, 5, 10, 0), message(2, 6, 10, 0), message(3, 7, 10, 0)];
        let table = table_of(&messages[..2]);
        let mut graph = Graph::new(RepeatRules::default(), 1000);
        table.values().for_each(|row| graph.restore(row));
        // the first message is too old to be read again
        graph.add(messages[1]);
        graph.forget_restored();
        assert!(graph.take_changed().is_empty(), "nothing new is written");
        graph.add(messages[2]);
        assert_eq!(graph.take_changed().iter().map(|row| row.root.case).collect::<Vec<_>>(), [1]);
        // an earlier one is heard of: members that are no longer remembered move too
        graph.add(message(4, 2, 10, 0));
        let moved = graph.take_changed();
        assert_eq!(
            moved.iter().map(|row| (row.case, row.root.case)).collect::<Vec<_>>(),
            [(1, 4), (2, 4), (3, 4), (4, 4)]
        );
    }

    #[test]
    fn what_is_forgotten_takes_no_memory() {
        let mut graph = Graph::new(RepeatRules::default(), 10);
        for case in 1..=1000 {
            graph.add(message(case, case as i64, case / 3 + 1, 0));
            graph.take_changed();
        }
        assert!(graph.members.len() <= 13 && graph.groups.len() <= 10, "{} members", graph.members.len());
        assert_eq!(graph.by_root.len(), graph.groups.len());
    }

    #[test]
    fn a_problem_that_never_ends_keeps_its_name_and_not_all_its_cases() {
        let mut graph = Graph::new(RepeatRules::default(), 10);
        for case in 1..=1000 {
            graph.add(message(case, case as i64, 7, 0));
            assert!(graph.take_changed().iter().all(|row| row.root.case == 1));
            let listed: usize = graph.groups.values().map(|group| group.members.len()).sum();
            assert!(graph.members.len() <= KEPT * 10 && listed == graph.members.len());
        }
    }

    proptest! {
        /// Whoever reads the same messages in whatever order, and however far, writes rows that end in one table.
        #[test]
        fn any_order_and_any_half_informed_writer_end_in_the_same_table(
            all in prop::collection::vec((0u64..5, 0u64..4, 0i64..600), 1..25), rotate in 0usize..25, known in 0usize..25,
        ) {
            let messages: Vec<Message> = all
                .into_iter()
                .zip(1u64..)
                .map(|((author, address, hour), case)| message(case << 40, hour, author, address))
                .collect();
            let expected = table_of(&messages);
            let mut turned = messages.clone();
            turned.rotate_left(rotate % messages.len());
            prop_assert_eq!(&table_of(&turned), &expected);
            // a process that lost its partition and knows only a part writes last
            let mut table = expected.clone();
            upsert(&mut table, table_of(&turned[..known.min(turned.len())]).into_values().collect());
            prop_assert_eq!(table, expected);
        }
    }
}
