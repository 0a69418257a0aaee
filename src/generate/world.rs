//! The region turned into tables to draw from: which topic in which month, which territory, which body, which street.
//! Owner: the simulation, built once from [`Region`]. Invariant: names and aliases come from the reference data only, so
//! whatever the simulation writes, the pipeline's dictionaries can map (but for the few unknown ones put in on purpose).

use std::collections::HashMap;

use serde::Deserialize;

use super::RegionError;
use super::dice::{Dice, Weighted};
use super::region::Region;
use super::rhythm::season;

const PLACES: &str = include_str!("places.toml");
/// How often people write about a block; blocks without an entry are rare.
const BLOCK_WEIGHTS: &[(&str, f64)] = &[
    ("housing", 0.24),
    ("roads", 0.20),
    ("improvement", 0.12),
    ("msw", 0.08),
    ("transport", 0.08),
    ("health", 0.08),
    ("social", 0.06),
    ("energy", 0.05),
    ("other", 0.05),
    ("education", 0.04),
    ("ecology", 0.03),
];
const RARE_BLOCK_WEIGHT: f64 = 0.012;
/// Steepness of the Zipf law over the topics of a block.
const ZIPF: f64 = 0.85;
/// Topics one accident makes dozens of people write about.
const ACCIDENT_TOPICS: &[&str] = &[
    "housing.hot_water",
    "housing.cold_water",
    "housing.heating",
    "housing.sewerage",
    "energy.outage",
    "roads.snow",
    "roads.ice",
    "transport.schedule",
    "ecology.air",
    "ecology.flood",
    "msw.removal",
    "other.telecom",
];
/// Share of the city of Ryazan among all messages.
const CITY_SHARE: f64 = 0.70;
/// Share of the city's messages that name the city but no district.
const CITY_WITHOUT_DISTRICT: f64 = 0.15;

#[derive(Deserialize)]
struct PlaceFile {
    default: PlaceEntry,
    territory: HashMap<String, PlaceEntry>,
}

#[derive(Clone, Deserialize)]
struct PlaceEntry {
    lat: f64,
    lon: f64,
    #[serde(default)]
    settlements: Vec<String>,
    #[serde(default)]
    streets: Vec<String>,
}

/// Where the people of one territory live.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Millionths of a degree.
    pub(super) latitude: u32,
    pub(super) longitude: u32,
    pub(super) settlements: Vec<String>,
    pub(super) streets: Vec<String>,
}

/// The bodies a block has in a territory.
#[derive(Clone, Default, Debug)]
struct Candidates {
    local: Vec<u16>,
    regional: Vec<u16>,
}

/// Everything the simulation draws from.
#[derive(Debug)]
pub(super) struct World {
    pub(super) region: Region,
    pub(super) places: Vec<Place>,
    /// The block of each topic.
    pub(super) block_of: Vec<usize>,
    topics_by_month: Vec<Weighted>,
    accidents_by_month: Vec<Weighted>,
    territories: Weighted,
    /// By block, then by territory.
    candidates: Vec<Vec<Candidates>>,
}

impl World {
    pub(super) fn new(region: &Region) -> Result<World, RegionError> {
        let block_of: Vec<usize> = region.topics.iter().filter_map(|topic| region.block(&topic.block)).collect();
        let weights = topic_weights(region, &block_of);
        let monthly = |accidents_only: bool| -> Vec<Weighted> {
            let weight_in = |month: usize, (topic, weight): (usize, &f64)| {
                let code = region.topics[topic].code.as_str();
                let fits = !accidents_only || ACCIDENT_TOPICS.contains(&code);
                if fits { weight * season(code, month) } else { 0.0 }
            };
            (0..12)
                .map(|month| Weighted::new(weights.iter().enumerate().map(|entry| weight_in(month, entry))))
                .collect()
        };
        Ok(World {
            places: places(region)?,
            topics_by_month: monthly(false),
            accidents_by_month: monthly(true),
            territories: territories(region),
            candidates: candidates(region),
            block_of,
            region: region.clone(),
        })
    }

    /// How much more than in a month without seasons people write; 1 when every topic is steady.
    pub(super) fn volume(&self, month: usize) -> f64 {
        self.topics_by_month[month].total()
    }

    pub(super) fn topic(&self, month: usize, dice: &mut Dice) -> usize {
        self.topics_by_month[month].draw(dice)
    }

    /// A topic of an accident; any topic where the reference data knows none of them.
    pub(super) fn accident_topic(&self, month: usize, dice: &mut Dice) -> usize {
        let accidents = &self.accidents_by_month[month];
        if accidents.total() > 0.0 { accidents.draw(dice) } else { self.topic(month, dice) }
    }

    pub(super) fn territory(&self, dice: &mut Dice) -> usize {
        self.territories.draw(dice)
    }

    /// A body for a block in a territory, never `except` when there is another.
    pub(super) fn body(&self, block: usize, territory: usize, except: Option<u16>, dice: &mut Dice) -> u16 {
        let Candidates { local, regional } = &self.candidates[block][territory];
        let mut body = 0;
        for _ in 0..8 {
            let list = if regional.is_empty() || (!local.is_empty() && dice.chance(0.65)) { local } else { regional };
            body = match dice.pick(list) {
                Some(body) => *body,
                None => dice.below(self.region.bodies.len()) as u16,
            };
            if Some(body) != except {
                return body;
            }
        }
        // All the candidates were the one to avoid: its neighbour in the file serves.
        (body + 1) % self.region.bodies.len() as u16
    }
}

fn topic_weights(region: &Region, block_of: &[usize]) -> Vec<f64> {
    let mut seen = vec![0u32; region.blocks.len()];
    let mut sums = vec![0.0; region.blocks.len()];
    let ranked: Vec<f64> = block_of
        .iter()
        .map(|block| {
            seen[*block] += 1;
            let weight = f64::from(seen[*block]).powf(-ZIPF);
            sums[*block] += weight;
            weight
        })
        .collect();
    let block_weight =
        |code: &str| BLOCK_WEIGHTS.iter().find(|entry| entry.0 == code).map_or(RARE_BLOCK_WEIGHT, |entry| entry.1);
    let all: f64 = region.blocks.iter().map(|block| block_weight(&block.code)).sum();
    let weight = |(rank, block): (&f64, &usize)| rank / sums[*block] * block_weight(&region.blocks[*block].code) / all;
    ranked.iter().zip(block_of).map(weight).collect()
}

fn territories(region: &Region) -> Weighted {
    let is_city = |code: &str| code == "ryazan";
    let in_city = |index: usize| {
        let place = &region.territories[index];
        is_city(&place.code) || place.parent.as_deref().is_some_and(is_city)
    };
    let population = |index: usize| f64::from(region.territories[index].population);
    let all = 0..region.territories.len();
    let districts: f64 =
        all.clone().filter(|i| in_city(*i) && !is_city(&region.territories[*i].code)).map(population).sum();
    let outside: f64 = all.clone().filter(|i| !in_city(*i)).map(population).sum();
    Weighted::new(all.map(|index| {
        if is_city(&region.territories[index].code) {
            CITY_SHARE * CITY_WITHOUT_DISTRICT
        } else if in_city(index) {
            CITY_SHARE * (1.0 - CITY_WITHOUT_DISTRICT) * population(index) / districts
        } else {
            (1.0 - CITY_SHARE) * population(index) / outside
        }
    }))
}

fn places(region: &Region) -> Result<Vec<Place>, RegionError> {
    let file: PlaceFile = toml::from_str(PLACES)
        .map_err(|source| RegionError::Syntax { file: "places.toml", source: Box::new(source) })?;
    let millionths = |degrees: f64| (degrees * 1e6) as u32;
    let place = |code: &str| {
        let entry = file.territory.get(code).unwrap_or(&file.default);
        let streets = if entry.streets.is_empty() { &file.default.streets } else { &entry.streets };
        Place {
            latitude: millionths(entry.lat),
            longitude: millionths(entry.lon),
            settlements: entry.settlements.clone(),
            streets: streets.clone(),
        }
    };
    Ok(region.territories.iter().map(|territory| place(&territory.code)).collect())
}

fn candidates(region: &Region) -> Vec<Vec<Candidates>> {
    let serve = |block: &str, territory: &super::region::Territory| {
        let mut found = Candidates::default();
        for (index, body) in
            region.bodies.iter().enumerate().filter(|(_, body)| body.blocks.iter().any(|own| own == block))
        {
            match &body.territory {
                None => found.regional.push(index as u16),
                Some(own) if *own == territory.code || Some(own) == territory.parent.as_ref() => {
                    found.local.push(index as u16)
                }
                Some(_) => {}
            }
        }
        found
    };
    region
        .blocks
        .iter()
        .map(|block| region.territories.iter().map(|place| serve(&block.code, place)).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::region::tests::shipped;
    use super::*;

    #[test]
    fn seven_of_ten_messages_come_from_the_city() {
        let world = World::new(&shipped()).expect("sound");
        let mut dice = Dice::new(11);
        let city =
            (0..20_000).filter(|_| world.region.territories[world.territory(&mut dice)].code.starts_with("ryazan"));
        let city = city.count();
        // `ryazansky` begins with the same letters and adds its own few percent.
        assert!((13_800..15_200).contains(&city), "{city}");
    }

    #[test]
    fn january_is_snow_and_july_is_not() {
        let world = World::new(&shipped()).expect("sound");
        assert!(world.volume(0) > 1.3 * world.volume(6), "{} {}", world.volume(0), world.volume(6));
        let mut dice = Dice::new(12);
        let snowy = |month, dice: &mut Dice| {
            (0..5_000).filter(|_| world.region.topics[world.topic(month, dice)].code.ends_with("snow")).count()
        };
        assert!(snowy(0, &mut dice) > 1_000);
        assert!(snowy(6, &mut dice) < 50);
    }

    #[test]
    fn every_block_finds_a_body_everywhere_and_a_transfer_finds_another() {
        let world = World::new(&shipped()).expect("sound");
        let mut dice = Dice::new(13);
        for block in 0..world.region.blocks.len() {
            for territory in 0..world.region.territories.len() {
                let body = world.body(block, territory, None, &mut dice);
                assert_ne!(world.body(block, territory, Some(body), &mut dice), body);
            }
        }
    }
}
