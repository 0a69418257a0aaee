//! The region of the configuration: what `tsur check` has read is what the simulation draws from.
//! Owner: the caller. Invariant: nothing is invented; an empty list is refused as in [`Region::from_toml`].

use super::region::{Block, Body, Region, RegionError, Territory, Topic};
use crate::config::Reference;

impl Region {
    /// The dictionaries of the configuration as a region.
    pub fn from_reference(reference: &Reference) -> Result<Region, RegionError> {
        let block = |index: u32| reference.blocks[index as usize].code.clone();
        let territory = |index: u32| reference.territories[index as usize].code.clone();
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let blocks = reference.blocks.iter().map(|entry| Block {
            code: entry.code.clone(),
            name: entry.name.clone(),
            order: u8::try_from(entry.order).unwrap_or(u8::MAX),
            aliases: entry.aliases.clone(),
        });
        let topics = reference.topics.iter().map(|entry| Topic {
            code: entry.code.clone(),
            block: block(entry.block),
            name: entry.name.clone(),
            aliases: entry.aliases.clone(),
        });
        let territories = reference.territories.iter().map(|entry| Territory {
            code: entry.code.clone(),
            name: entry.name.clone(),
            kind: format!("{:?}", entry.kind),
            okato: given(&entry.okato),
            oktmo: given(&entry.oktmo),
            population: entry.population.unwrap_or(1),
            valid_from: entry.valid_from.clone(),
            predecessor: entry.predecessors.clone(),
            parent: entry.parent.map(territory),
            aliases: entry.aliases.clone(),
        });
        let bodies = reference.bodies.iter().map(|entry| Body {
            code: entry.code.clone(),
            name: entry.name.clone(),
            short: entry.short.clone(),
            kind: entry.kind.clone(),
            blocks: entry.blocks.iter().map(|index| block(*index)).collect(),
            territory: entry.territory.map(territory),
            aliases: entry.aliases.clone(),
        });
        let region = Region {
            blocks: blocks.collect(),
            topics: topics.collect(),
            territories: territories.collect(),
            bodies: bodies.collect(),
        };
        region.check()?;
        Ok(region)
    }
}

#[cfg(test)]
mod tests {
    use super::super::region::tests::shipped;
    use super::*;
    use std::path::Path;

    #[test]
    fn the_shipped_configuration_gives_the_shipped_region() {
        let config = crate::config::load(Path::new("config"), &|_| None).expect("sound");
        let region = Region::from_reference(&config.reference).expect("sound");
        let files = shipped();
        assert_eq!(format!("{:?}", region.topics), format!("{:?}", files.topics));
        assert_eq!(format!("{:?}", region.blocks), format!("{:?}", files.blocks));
        assert_eq!(format!("{:?}", region.bodies), format!("{:?}", files.bodies));
        let places = |region: &Region| {
            let place =
                |place: &Territory| (place.code.clone(), place.population, place.parent.clone(), place.aliases.clone());
            region.territories.iter().map(place).collect::<Vec<_>>()
        };
        assert_eq!(places(&region), places(&files));
    }

    #[test]
    fn without_reference_data_there_is_no_region() {
        assert!(matches!(Region::from_reference(&Reference::default()), Err(RegionError::Empty { .. })));
    }
}
