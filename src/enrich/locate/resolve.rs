//! Weighs the pieces of a text and answers where it is. Owner: `locate`.
//! Invariants: a name that several territories have decides nothing by itself; two places that count alike give no answer,
//! only candidates; a city district is told only inside its city.

use super::atlas::{Atlas, is_urban};
use super::evidence::*;
use super::{Candidates, House, Place, StreetFound};
use crate::config::gazetteer::SettlementKind;
use crate::config::reference::TerritoryKind;

/// The best place must count so much more than the next.
const MARGIN: u8 = 10;
/// Less than this is no answer.
const ENOUGH: u8 = 40;
/// Each further piece for the same place adds so much.
const SUPPORT: u8 = 3;
const MAX_SUPPORT: u8 = 12;
/// A settlement of several territories, decided by the one of them that is named elsewhere.
const DECIDED: u8 = WITH_KIND;

/// Working memory of one worker.
#[derive(Default)]
pub struct Scales {
    /// Best weight and number of pieces, by municipality.
    scores: Vec<(u8, u8)>,
}

/// What one name means here.
#[derive(Clone, Copy, Default)]
struct Readings {
    settlements: [u16; 12],
    settlement_count: usize,
    quarter: Option<u16>,
    /// Different municipalities of all readings.
    territories: [u16; 12],
    territory_count: usize,
}

impl Readings {
    fn territories(&self) -> &[u16] {
        &self.territories[..self.territory_count]
    }

    fn settlements(&self) -> &[u16] {
        &self.settlements[..self.settlement_count]
    }

    fn add(&mut self, municipality: u16) {
        if !self.territories().contains(&municipality) && self.territory_count < self.territories.len() {
            self.territories[self.territory_count] = municipality;
            self.territory_count += 1;
        }
    }
}

impl Atlas {
    /// The settlements and quarters that a name with this kind may be.
    fn readings(&self, name: u16, told: ToldKind) -> Readings {
        let entry = &self.names[usize::from(name)];
        let settlements = &self.gazetteer.settlements;
        let mut found = Readings::default();
        let kind_of = |index: u16| settlements[usize::from(index)].kind;
        let fits = |index: u16| match told {
            ToldKind::Town => kind_of(index) == SettlementKind::Town,
            ToldKind::Rural => !is_urban(kind_of(index)),
            ToldKind::Hamlet => kind_of(index) != SettlementKind::Town,
            ToldKind::Quarter => false,
            ToldKind::Nothing => true,
        };
        let any_fits = entry.settlements.iter().any(|index| fits(*index));
        // without a kind the town is meant, not the village of the same name
        let town = entry.settlements.iter().find(|index| kind_of(**index) == SettlementKind::Town);
        let only_town = told == ToldKind::Nothing && town.is_some();
        let quarter_fits = matches!(told, ToldKind::Nothing | ToldKind::Hamlet | ToldKind::Quarter);
        let skip_settlements = told == ToldKind::Quarter && !entry.quarters.is_empty();
        for index in entry.settlements.iter().filter(|_| !skip_settlements) {
            let kept = if only_town { Some(index) == town } else { fits(*index) || !any_fits };
            if kept && found.settlement_count < found.settlements.len() {
                found.settlements[found.settlement_count] = *index;
                found.settlement_count += 1;
                found.add(self.municipality(settlements[usize::from(*index)].territory as u16));
            }
        }
        if quarter_fits || entry.settlements.is_empty() {
            for index in &entry.quarters {
                found.quarter = Some(*index);
                found.add(self.gazetteer.quarters[usize::from(*index)].city as u16);
            }
        }
        found
    }
}

/// The place that the pieces speak of.
pub fn resolve(atlas: &Atlas, pieces: &[Evidence], scales: &mut Scales) -> Place {
    let mut place = Place { street: street(atlas, pieces), ..Place::default() };
    scales.scores.clear();
    scales.scores.resize(atlas.territories.len(), (0, 0));
    for piece in pieces {
        weigh_clear(atlas, piece, scales);
    }
    let mut open = Candidates::default();
    let mut strongest_open = 0;
    for piece in pieces {
        if let Some(options) = weigh_open(atlas, piece, scales) {
            options.iter().for_each(|territory| open.add(territory));
            strongest_open = strongest_open.max(piece.weight);
        }
    }
    let (best, second) = two_best(&scales.scores);
    let weight_of = |territory: Option<u16>| territory.map_or(0, |territory| scales.score(territory));
    let (first_weight, second_weight) = (weight_of(best), weight_of(second));
    let outside =
        pieces.iter().filter(|piece| piece.meaning == Meaning::Outside).map(|piece| piece.weight).max().unwrap_or(0);
    let hidden = hidden_village(pieces);
    // «деревня Ивановка, жаловались в Рязань»: the city is where they complained
    let only_town = !pieces.iter().any(|piece| matches!(piece.meaning, Meaning::Territory(_) | Meaning::Street(_)));
    let doubted = strongest_open >= first_weight.saturating_sub(MARGIN) && strongest_open > 0
        || hidden && only_town && first_weight <= WITH_KIND
        || outside >= first_weight && outside > 0;
    let clear = first_weight >= ENOUGH && first_weight - second_weight >= MARGIN;
    let Some(municipality) = best.filter(|_| clear && !doubted) else {
        for territory in [best, second].into_iter().flatten().filter(|_| outside < WITH_KIND) {
            place.candidates.add(territory);
        }
        if outside < WITH_KIND {
            open.iter().for_each(|territory| place.candidates.add(territory));
            common_street_city(atlas, pieces, &mut place.candidates);
        }
        return place;
    };
    place.confidence = first_weight.saturating_sub(second_weight / 4).min(99);
    settle(atlas, pieces, municipality, &mut place);
    place
}

/// Pieces that mean one municipality.
fn weigh_clear(atlas: &Atlas, piece: &Evidence, scales: &mut Scales) {
    match piece.meaning {
        Meaning::Territory(territory) => scales.put(atlas.municipality(territory), piece.weight),
        Meaning::Street(street) => {
            scales.put(atlas.gazetteer.streets[usize::from(street)].city as u16, piece.weight);
        }
        Meaning::Place(name, told) => {
            if let [only] = atlas.readings(name, told).territories() {
                scales.put(*only, piece.weight);
            }
        }
        Meaning::WrittenStreet | Meaning::Outside | Meaning::UnknownSettlement => {}
    }
}

/// A name of several municipalities: decided by one that is named elsewhere, else it stays open.
fn weigh_open(atlas: &Atlas, piece: &Evidence, scales: &mut Scales) -> Option<Candidates> {
    let Meaning::Place(name, told) = piece.meaning else { return None };
    let readings = atlas.readings(name, told);
    if readings.territory_count < 2 {
        return None;
    }
    let mut named = readings.territories().iter().filter(|territory| scales.score(**territory) >= ENOUGH);
    if let (Some(only), None) = (named.next(), named.next()) {
        scales.put(*only, piece.weight.min(DECIDED));
        return None;
    }
    let mut options = Candidates::default();
    readings.territories().iter().for_each(|territory| options.add(*territory));
    Some(options)
}

impl Scales {
    fn put(&mut self, territory: u16, weight: u8) {
        if weight == 0 {
            return;
        }
        let (best, pieces) = &mut self.scores[usize::from(territory)];
        *best = (*best).max(weight);
        *pieces = pieces.saturating_add(1);
    }

    fn score(&self, territory: u16) -> u8 {
        total(self.scores[usize::from(territory)])
    }
}

fn total((best, pieces): (u8, u8)) -> u8 {
    if pieces == 0 { 0 } else { best + ((pieces - 1).saturating_mul(SUPPORT)).min(MAX_SUPPORT) }
}

fn two_best(scores: &[(u8, u8)]) -> (Option<u16>, Option<u16>) {
    let (mut best, mut second) = (None, None);
    let weight = |index: Option<u16>| index.map_or(0, |index| total(scores[usize::from(index)]));
    for (score, index) in scores.iter().zip(0u16..) {
        let score = total(*score);
        if score > weight(best) {
            second = best;
            best = Some(index);
        } else if score > weight(second) {
            second = Some(index);
        }
    }
    (best, second)
}

/// A village that the gazetteer does not have is named.
fn hidden_village(pieces: &[Evidence]) -> bool {
    pieces.iter().any(|piece| piece.meaning == Meaning::UnknownSettlement)
}

/// A street that many places have, and no place: the city is a candidate.
fn common_street_city(atlas: &Atlas, pieces: &[Evidence], candidates: &mut Candidates) {
    for piece in pieces {
        if let Meaning::Street(street) = piece.meaning {
            candidates.add(atlas.gazetteer.streets[usize::from(street)].city as u16);
        }
    }
}

/// Inside the municipality: the city district, the settlement, the quarter.
fn settle(atlas: &Atlas, pieces: &[Evidence], municipality: u16, place: &mut Place) {
    place.territory = Some(municipality);
    let mut settlement: Option<(u8, u16)> = None;
    let mut quarter: Option<u16> = None;
    let mut districts = Candidates::default();
    let mut told_districts = Candidates::default();
    for piece in pieces {
        match piece.meaning {
            Meaning::Territory(territory)
                if territory != municipality && atlas.municipality(territory) == municipality =>
            {
                told_districts.add(territory);
            }
            Meaning::Place(name, told) => {
                let readings = atlas.readings(name, told);
                let mut here = readings.settlements().iter().filter(|index| {
                    let territory = atlas.gazetteer.settlements[usize::from(**index)].territory as u16;
                    atlas.municipality(territory) == municipality
                });
                let only = here.next().filter(|_| here.next().is_none());
                if let Some(only) = only
                    && settlement.is_none_or(|(weight, _)| {
                        piece.weight > weight || piece.weight == weight && is_smaller(atlas, *only)
                    })
                {
                    settlement = Some((piece.weight, *only));
                }
                if let Some(index) = readings.quarter
                    && atlas.gazetteer.quarters[usize::from(index)].city as u16 == municipality
                    && only.is_none()
                {
                    quarter = quarter.or(Some(index));
                    if let Some(district) = atlas.gazetteer.quarters[usize::from(index)].district {
                        districts.add(district as u16);
                    }
                }
            }
            _ => {}
        }
    }
    if let Some(StreetFound::Known(street)) = place.street {
        let street = &atlas.gazetteer.streets[usize::from(street)];
        // the same name elsewhere is another street: it keeps its spelling and says nothing of the district
        if let Some(district) = street.district
            && street.city as u16 == municipality
            && districts.is_empty()
        {
            districts.add(district as u16);
        }
    }
    place.settlement = settlement.map(|(_, index)| index);
    place.quarter = quarter;
    let told = if told_districts.is_empty() { districts } else { told_districts };
    if let Some(only) = told.only()
        && atlas.territory(only).kind == TerritoryKind::CityDistrict
    {
        place.territory = Some(only);
    }
}

/// A village inside the district of a town is the nearer answer.
fn is_smaller(atlas: &Atlas, settlement: u16) -> bool {
    !is_urban(atlas.gazetteer.settlements[usize::from(settlement)].kind)
}

/// The street of the text: one with a house before one without, a known one before a written one.
fn street(atlas: &Atlas, pieces: &[Evidence]) -> Option<StreetFound> {
    best_street(atlas, pieces).map(|piece| match piece.meaning {
        Meaning::Street(street) => StreetFound::Known(street),
        _ => StreetFound::Written(piece.start, piece.end),
    })
}

fn best_street<'p>(atlas: &Atlas, pieces: &'p [Evidence]) -> Option<&'p Evidence> {
    let rank = |piece: &Evidence| {
        let known = match piece.meaning {
            Meaning::Street(street) => 1 + u8::from(atlas.gazetteer.streets[usize::from(street)].own),
            Meaning::WrittenStreet => 0,
            _ => return None,
        };
        Some(u8::from(piece.house.1 > 0) * 4 + known)
    };
    let mut best: Option<(&Evidence, u8)> = None;
    for piece in pieces {
        if let Some(rank) = rank(piece)
            && best.is_none_or(|(_, known)| rank > known)
        {
            best = Some((piece, rank));
        }
    }
    best.map(|(piece, _)| piece)
}

/// The house of the street that `resolve` chose; without a street, that of a settlement.
pub fn house(atlas: &Atlas, pieces: &[Evidence]) -> House {
    let of_settlement = || pieces.iter().find(|piece| matches!(piece.meaning, Meaning::Place(..)) && piece.house.1 > 0);
    let piece = best_street(atlas, pieces).or_else(of_settlement);
    piece.map_or(House::default(), |piece| House { start: piece.house.0, end: piece.house.1 })
}
