//! What `tsur check` tells about the gazetteer: names that are ambiguous, that people would take for something else, or that
//! can never be found. Owner: `locate`. Invariant: a note names the entry and what follows from it; none is a mistake.

use std::collections::BTreeMap;

use super::{Atlas, Locator, Manner};
use crate::config::reference::{Reference, TerritoryKind};
use crate::text::{Tokens, Words, fold, tokenize};

/// The notes, in the order of names.
pub fn gazetteer_notes(reference: &Reference) -> Vec<String> {
    let mut notes = Vec::new();
    if reference.gazetteer.settlements.is_empty() {
        return notes;
    }
    let code = |index: u32| reference.territories[index as usize].code.as_str();
    let mut owners: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for settlement in &reference.gazetteer.settlements {
        owners.entry(fold(&settlement.name)).or_default().push(code(settlement.territory));
    }
    let ambiguous: Vec<String> = owners
        .iter()
        .filter(|(_, owners)| owners.len() > 1)
        .map(|(name, owners)| format!("{name} ({})", owners.join(", ")))
        .collect();
    if !ambiguous.is_empty() {
        notes.push(format!(
            "{} names of settlements are not unique and never guessed: {}",
            ambiguous.len(),
            ambiguous.join("; ")
        ));
    }
    for word in &reference.gazetteer.words.common {
        let quarter = reference.gazetteer.quarters.iter().any(|quarter| fold(&quarter.name) == fold(word));
        if !quarter && !owners.contains_key(&fold(word)) {
            notes.push(format!("common word {word:?} is the name of no settlement: a dead entry of the gazetteer"));
        }
    }
    for (territory, index) in reference.territories.iter().zip(0u32..) {
        let rural = !matches!(territory.kind, TerritoryKind::CityDistrict);
        if rural && !reference.gazetteer.settlements.iter().any(|settlement| settlement.territory == index) {
            notes.push(format!("territory {} has no settlement in the gazetteer", territory.code));
        }
    }
    notes.extend(unfound(reference));
    let unverified = reference.territories.iter().filter(|territory| !territory.unverified.is_empty()).count();
    if unverified > 0 {
        notes.push(format!("{unverified} territories have values nobody has verified yet (key `unverified`)"));
    }
    notes
}

/// Settlements that even a full address does not find.
fn unfound(reference: &Reference) -> Vec<String> {
    let mut locator = Locator::new(std::sync::Arc::new(Atlas::new(reference)));
    let (mut words, mut tokens) = (Words::new(), Tokens::new());
    let mut notes = Vec::new();
    for (settlement, index) in reference.gazetteer.settlements.iter().zip(0u16..) {
        let territory = &reference.territories[settlement.territory as usize];
        let address = format!("{}, {} {}", territory.name, settlement.kind.short(), settlement.name);
        tokenize(&address, &mut words, &mut tokens);
        let place = locator.locate(&address, &tokens, &words, Manner::Address);
        if place.settlement != Some(index) || place.territory != Some(settlement.territory as u16) {
            notes.push(format!(
                "settlement {:?} of {} cannot be found: another entry takes its name",
                settlement.name, territory.code
            ));
        }
    }
    notes
}
