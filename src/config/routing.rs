//! The rules block × topic × territory → responsible bodies, from `pipelines/reference/routing.toml`.
//! Owner: `config`; `enrich::routing` asks them. Invariants: everything a rule names exists; rules keep the order of the
//! file, because the first that fits wins; a rule names a body or a kind of local body.

use super::errors::{Errors, Place};
use super::reader::{Document, Item, Table, did_you_mean};
use super::reference::{Reference, TERRITORY_KINDS, TerritoryKind};
use super::reference_read::{File, day};

/// One rule. An empty list of a condition fits everything.
#[derive(Clone, PartialEq, Debug)]
pub struct RoutingRule {
    pub name: String,
    /// Indices into the lists of the reference.
    pub blocks: Vec<u32>,
    pub topics: Vec<u32>,
    pub territories: Vec<u32>,
    pub kinds: Vec<TerritoryKind>,
    /// Named bodies; the first answers, the others take part.
    pub bodies: Vec<u32>,
    /// Kinds of bodies of the territory itself.
    pub local: Vec<String>,
    /// `yyyy-mm-dd`: the first day of the rule and the first without it.
    pub valid_from: Option<String>,
    pub valid_to: Option<String>,
    /// Where it stands, for findings.
    pub place: Place,
}

/// Reads the file; `reference` has its four lists already.
pub fn read((file, text): File, reference: &Reference, errors: &Errors) -> Vec<RoutingRule> {
    let mut rules: Vec<RoutingRule> = Vec::new();
    Document::read(file, text, errors, |root| {
        for table in root.tables("rule") {
            if let Some(rule) = rule(&table, reference) {
                if rules.iter().any(|earlier| earlier.name == rule.name) {
                    table.refuse(
                        "name",
                        format!("{:?} is the name of an earlier rule", rule.name),
                        "a name of its own",
                    );
                }
                rules.push(rule);
            }
        }
    });
    rules
}

fn rule(table: &Table, reference: &Reference) -> Option<RoutingRule> {
    let name = table.require("name", "what the rule is about");
    let blocks = codes(table, "block", reference.blocks.iter().map(|block| block.code.as_str()));
    let topics = codes(table, "topic", reference.topics.iter().map(|topic| topic.code.as_str()));
    let territories = codes(table, "territory", reference.territories.iter().map(|place| place.code.as_str()));
    let kinds = items(table.item("kind")).iter().filter_map(|item| item.choice(TERRITORY_KINDS)).collect();
    let bodies = codes(table, "bodies", reference.bodies.iter().map(|body| body.code.as_str()));
    let local: Vec<String> = items(table.item("local")).iter().filter_map(|item| local_kind(item, reference)).collect();
    let valid_from = table.item("valid_from").and_then(|item| day(&item));
    let valid_to = table.item("valid_to").and_then(|item| day(&item));
    if let (Some(from), Some(to)) = (&valid_from, &valid_to)
        && from >= to
    {
        table.refuse("valid_to", "is not after valid_from", "a later day");
    }
    if bodies.is_empty() && local.is_empty() && table.is_sound("bodies") && table.is_sound("local") {
        table.refuse_whole("names no body", "bodies = [codes] or local = [kinds of bodies]");
    }
    let name = name?;
    let place = name.place();
    let name = name.text()?;
    Some(RoutingRule { name, blocks, topics, territories, kinds, bodies, local, valid_from, valid_to, place })
}

fn items<'t>(item: Option<Item<'t>>) -> Vec<Item<'t>> {
    item.map_or_else(Vec::new, |item| item.list())
}

fn codes<'r>(table: &Table, key: &'static str, known: impl Iterator<Item = &'r str> + Clone) -> Vec<u32> {
    let find = |item: &Item| {
        let code = item.text()?;
        let found = known.clone().position(|entry| entry == code);
        if found.is_none() {
            let hint = did_you_mean(&code, known.clone());
            item.refuse(format!("there is no {code:?}{hint}"), "a code of its file");
        }
        found.map(|index| index as u32)
    };
    items(table.item(key)).iter().filter_map(find).collect()
}

fn local_kind(item: &Item, reference: &Reference) -> Option<String> {
    let kind = item.text()?;
    let known = reference.bodies.iter().map(|body| body.kind.as_str());
    if !known.clone().any(|entry| entry == kind) {
        let hint = did_you_mean(&kind, known);
        item.refuse(format!("no body is of the kind {kind:?}{hint}"), "a `kind` of bodies.toml");
    }
    Some(kind)
}
