//! Everything else a record says about its place: codes of the state classifiers, coordinates, an address; and how they are
//! put together. Owner: `locate`. Invariants: a surer source is never overruled by a less sure one; an address or a text may
//! only narrow what is known (a city to its district, a territory to a street); days are `yyyy-mm-dd` and compare as texts.

use super::{Atlas, Candidates, How, Place};
use crate::config::reference::TerritoryKind;

/// Longest way from a point to the centre of its town, in kilometres, by how large the town may be.
const TOWN_RADIUS_KM: f32 = 4.0;
const KM_OF_DEGREE: f32 = 111.2;

/// A territory as it was on a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unit<'a> {
    pub code: &'a str,
    pub name: &'a str,
    pub okato: &'a str,
    pub oktmo: &'a str,
}

impl Atlas {
    /// By ОКАТО or ОКТМО, of a territory or anything inside it; the former units lead to what they became.
    pub fn by_code(&self, code: &str) -> Option<u16> {
        let code = code.trim();
        if code.len() < 5 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let known = self
            .territories
            .iter()
            .zip(0u16..)
            .find(|(territory, _)| is_inside(code, &territory.okato, &territory.oktmo));
        if let Some((_, index)) = known {
            return Some(index);
        }
        let former = self.gazetteer.former.iter().find(|unit| is_inside(code, &unit.okato, &unit.oktmo));
        former.map(|unit| unit.successor as u16)
    }

    /// By a point: inside a known rectangle, or near the centre of a town. Zeroes and far points are unknown.
    pub fn by_coordinates(&self, latitude: f32, longitude: f32) -> Option<u16> {
        let area =
            self.gazetteer.areas.iter().find(|area| {
                (area.south..area.north).contains(&latitude) && (area.west..area.east).contains(&longitude)
            });
        if let Some(area) = area {
            return Some(area.territory as u16);
        }
        let mut nearest: Option<(f32, u16)> = None;
        for settlement in &self.gazetteer.settlements {
            let Some((lat, lon)) = settlement.centre else { continue };
            let north = (latitude - lat) * KM_OF_DEGREE;
            let east = (longitude - lon) * KM_OF_DEGREE * lat.to_radians().cos();
            let distance = north.hypot(east);
            if distance <= TOWN_RADIUS_KM && nearest.is_none_or(|(known, _)| distance < known) {
                nearest = Some((distance, settlement.territory as u16));
            }
        }
        nearest.map(|(_, territory)| territory)
    }

    /// What the place was on a day: a former unit until its last day, the territory itself since.
    pub fn unit_at(&self, place: &Place, day: &str) -> Option<Unit<'_>> {
        let territory = place.territory?;
        let whole = self.municipality(territory);
        let own = place.settlement.and_then(|index| self.gazetteer.settlements[usize::from(index)].former);
        let former = self.gazetteer.former.iter().zip(0u32..).find(|(unit, index)| {
            let meant = if unit.city { own == Some(*index) } else { own.is_none() };
            unit.successor as u16 == whole && meant && day < unit.valid_to.as_str()
        });
        if let Some((unit, _)) = former {
            return Some(Unit { code: &unit.code, name: &unit.name, okato: &unit.okato, oktmo: &unit.oktmo });
        }
        let now = self.territory(territory);
        Some(Unit { code: &now.code, name: &now.name, okato: &now.okato, oktmo: &now.oktmo })
    }
}

/// The first five digits of either code name a municipality of the region; what follows lies inside it.
fn is_inside(code: &str, okato: &str, oktmo: &str) -> bool {
    [okato, oktmo].iter().any(|whole| whole.len() >= 5 && whole.get(..5) == code.get(..5))
}

/// Puts a surer place and a less sure one together.
pub fn refine(atlas: &Atlas, sure: Place, more: Place) -> Place {
    let Some(territory) = sure.territory else {
        let mut place = more;
        if place.territory.is_none() && place.candidates.is_empty() {
            place.candidates = sure.candidates;
        }
        return place;
    };
    let mut place = sure;
    let agrees = more.territory.is_none_or(|other| atlas.municipality(other) == atlas.municipality(territory));
    if !agrees {
        return place;
    }
    if let Some(other) = more.territory
        && atlas.territory(other).kind == TerritoryKind::CityDistrict
        && other != territory
        && atlas.municipality(territory) == territory
    {
        place.territory = Some(other);
    }
    place.settlement = place.settlement.or(more.settlement);
    place.quarter = place.quarter.or(more.quarter);
    if place.street.is_none() {
        place.street = more.street;
        place.house = more.house;
    }
    place.candidates = Candidates::default();
    place
}

/// A place that a code, a name or a point gives.
pub fn sure(territory: Option<u16>, how: How, confidence: u8) -> Place {
    match territory {
        Some(_) => Place { territory, how, confidence, ..Place::default() },
        None => Place::default(),
    }
}
