//! The region as the methodologist's reference files describe it: blocks, topics, territories, bodies.
//! Owner: whoever loads the four TOML texts; the simulation only reads. Invariants after loading: every code that is
//! referred to exists, and a name or alias leads to exactly one entry (blocks and topics share one namespace).

use std::collections::HashMap;

use serde::Deserialize;
use thiserror::Error;

/// A sector block.
#[derive(Clone, Debug, Deserialize)]
pub struct Block {
    pub code: String,
    pub name: String,
    /// The place on walls and in reports.
    pub order: u8,
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// A theme inside a block.
#[derive(Clone, Debug, Deserialize)]
pub struct Topic {
    pub code: String,
    pub block: String,
    pub name: String,
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// A municipality or a city district.
#[derive(Clone, Debug, Deserialize)]
pub struct Territory {
    pub code: String,
    pub name: String,
    pub kind: String,
    #[serde(default)]
    pub okato: Option<String>,
    #[serde(default)]
    pub oktmo: Option<String>,
    pub population: u32,
    #[serde(default)]
    pub valid_from: Option<String>,
    #[serde(default)]
    pub predecessor: Vec<String>,
    #[serde(default)]
    pub parent: Option<String>,
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// An authority or organisation that handles cases.
#[derive(Clone, Debug, Deserialize)]
pub struct Body {
    pub code: String,
    pub name: String,
    pub short: String,
    pub kind: String,
    pub blocks: Vec<String>,
    #[serde(default)]
    pub territory: Option<String>,
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// The four reference files together.
#[derive(Clone, Debug)]
pub struct Region {
    pub blocks: Vec<Block>,
    pub topics: Vec<Topic>,
    pub territories: Vec<Territory>,
    pub bodies: Vec<Body>,
}

/// Why the reference files cannot be used.
#[derive(Debug, Error)]
pub enum RegionError {
    #[error("{file}: {source}")]
    Syntax { file: &'static str, source: Box<toml::de::Error> },
    #[error("{file}: the list is empty")]
    Empty { file: &'static str },
    #[error("{file}: code \"{code}\" stands twice")]
    RepeatedCode { file: &'static str, code: String },
    #[error("{file}: \"{name}\" names both \"{first}\" and \"{second}\"")]
    AmbiguousName { file: &'static str, name: String, first: String, second: String },
    #[error("{file}: \"{code}\" refers to {kind} \"{missing}\", which does not exist")]
    MissingReference { file: &'static str, code: String, kind: &'static str, missing: String },
}

#[derive(Deserialize)]
struct BlockFile {
    #[serde(default, rename = "block")]
    list: Vec<Block>,
}
#[derive(Deserialize)]
struct TopicFile {
    #[serde(default, rename = "topic")]
    list: Vec<Topic>,
}
#[derive(Deserialize)]
struct TerritoryFile {
    #[serde(default, rename = "territory")]
    list: Vec<Territory>,
}
#[derive(Deserialize)]
struct BodyFile {
    #[serde(default, rename = "body")]
    list: Vec<Body>,
}

fn parse<T: serde::de::DeserializeOwned>(file: &'static str, text: &str) -> Result<T, RegionError> {
    toml::from_str(text).map_err(|source| RegionError::Syntax { file, source: Box::new(source) })
}

/// How names are compared: case, «ё» and repeated spaces do not matter.
fn folded(name: &str) -> String {
    let lower = name.to_lowercase().replace('ё', "е");
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Collects codes and names of one namespace and refuses the second owner of either.
#[derive(Default)]
struct Namespace {
    codes: HashMap<String, ()>,
    names: HashMap<String, String>,
}

impl Namespace {
    fn add<'a>(
        &mut self,
        file: &'static str,
        code: &str,
        names: impl Iterator<Item = &'a String>,
    ) -> Result<(), RegionError> {
        if self.codes.insert(code.to_owned(), ()).is_some() {
            return Err(RegionError::RepeatedCode { file, code: code.to_owned() });
        }
        for name in names {
            let first = self.names.entry(folded(name)).or_insert_with(|| code.to_owned());
            if first != code {
                return Err(RegionError::AmbiguousName {
                    file,
                    name: name.clone(),
                    first: first.clone(),
                    second: code.to_owned(),
                });
            }
        }
        Ok(())
    }
}

impl Region {
    /// Reads the texts of `blocks.toml`, `topics.toml`, `territories.toml` and `bodies.toml`.
    pub fn from_toml(blocks: &str, topics: &str, territories: &str, bodies: &str) -> Result<Region, RegionError> {
        let region = Region {
            blocks: parse::<BlockFile>("blocks.toml", blocks)?.list,
            topics: parse::<TopicFile>("topics.toml", topics)?.list,
            territories: parse::<TerritoryFile>("territories.toml", territories)?.list,
            bodies: parse::<BodyFile>("bodies.toml", bodies)?.list,
        };
        region.check()?;
        Ok(region)
    }

    pub(super) fn check(&self) -> Result<(), RegionError> {
        let sizes = [
            ("blocks.toml", self.blocks.len()),
            ("topics.toml", self.topics.len()),
            ("territories.toml", self.territories.len()),
            ("bodies.toml", self.bodies.len()),
        ];
        for (file, size) in sizes {
            if size == 0 {
                return Err(RegionError::Empty { file });
            }
        }
        let mut themes = Namespace::default();
        for block in &self.blocks {
            themes.add("blocks.toml", &block.code, block.aliases.iter().chain([&block.name]))?;
        }
        for topic in &self.topics {
            themes.add("topics.toml", &topic.code, topic.aliases.iter().chain([&topic.name]))?;
        }
        let mut places = Namespace::default();
        for place in &self.territories {
            places.add("territories.toml", &place.code, place.aliases.iter().chain([&place.name]))?;
        }
        let mut organisations = Namespace::default();
        for body in &self.bodies {
            organisations.add("bodies.toml", &body.code, body.aliases.iter().chain([&body.name, &body.short]))?;
        }
        self.check_references()
    }

    fn check_references(&self) -> Result<(), RegionError> {
        let missing = |file, code: &str, kind, missing: &str| {
            Err(RegionError::MissingReference { file, code: code.to_owned(), kind, missing: missing.to_owned() })
        };
        for topic in &self.topics {
            if self.block(&topic.block).is_none() {
                return missing("topics.toml", &topic.code, "block", &topic.block);
            }
        }
        for place in &self.territories {
            match &place.parent {
                Some(parent) if self.territory(parent).is_none() => {
                    return missing("territories.toml", &place.code, "territory", parent);
                }
                _ => {}
            }
        }
        for body in &self.bodies {
            for block in &body.blocks {
                if self.block(block).is_none() {
                    return missing("bodies.toml", &body.code, "block", block);
                }
            }
            match &body.territory {
                Some(place) if self.territory(place).is_none() => {
                    return missing("bodies.toml", &body.code, "territory", place);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The place of a block in `blocks`.
    pub fn block(&self, code: &str) -> Option<usize> {
        self.blocks.iter().position(|block| block.code == code)
    }

    /// The place of a territory in `territories`.
    pub fn territory(&self, code: &str) -> Option<usize> {
        self.territories.iter().position(|place| place.code == code)
    }

    /// The place of a topic in `topics`.
    pub fn topic(&self, code: &str) -> Option<usize> {
        self.topics.iter().position(|topic| topic.code == code)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const BLOCKS: &str = include_str!("../../pipelines/reference/blocks.toml");
    const TOPICS: &str = include_str!("../../pipelines/reference/topics.toml");
    const TERRITORIES: &str = include_str!("../../pipelines/reference/territories.toml");
    const BODIES: &str = include_str!("../../pipelines/reference/bodies.toml");

    /// The shipped reference data.
    pub(in super::super) fn shipped() -> Region {
        Region::from_toml(BLOCKS, TOPICS, TERRITORIES, BODIES).expect("the shipped reference files are sound")
    }

    #[test]
    fn the_shipped_reference_files_have_the_size_of_the_region() {
        let region = shipped();
        assert_eq!(region.blocks.len(), 15);
        assert!((70..=130).contains(&region.topics.len()), "{}", region.topics.len());
        assert_eq!(region.territories.iter().filter(|place| place.parent.is_none()).count(), 27);
        assert_eq!(region.territories.iter().filter(|place| place.parent.as_deref() == Some("ryazan")).count(), 4);
        assert!((60..=120).contains(&region.bodies.len()), "{}", region.bodies.len());
        assert!(region.topics.iter().all(|topic| topic.code.starts_with(&format!("{}.", topic.block))));
    }

    #[test]
    fn every_block_has_topics_and_every_municipality_a_body() {
        let region = shipped();
        for block in &region.blocks {
            assert!(region.topics.iter().any(|topic| topic.block == block.code), "{}", block.code);
            assert!(region.bodies.iter().any(|body| body.blocks.contains(&block.code)), "{}", block.code);
        }
        for place in &region.territories {
            let has_one = region.bodies.iter().any(|body| body.territory.as_ref() == Some(&place.code));
            assert!(has_one, "{}", place.code);
        }
    }

    #[test]
    fn an_alias_of_two_topics_is_refused_whatever_its_spelling() {
        let topics = "[[topic]]\ncode = \"roads.a\"\nblock = \"roads\"\nname = \"А\"\naliases = [\"Щётка\"]\n\
                      [[topic]]\ncode = \"roads.b\"\nblock = \"roads\"\nname = \"Б\"\naliases = [\"щетка \"]\n";
        let error = Region::from_toml(BLOCKS, topics, TERRITORIES, BODIES).expect_err("ambiguous");
        assert!(matches!(error, RegionError::AmbiguousName { .. }), "{error}");
    }

    #[test]
    fn a_topic_of_an_unknown_block_is_refused() {
        let topics = "[[topic]]\ncode = \"space.a\"\nblock = \"space\"\nname = \"А\"\n";
        let error = Region::from_toml(BLOCKS, topics, TERRITORIES, BODIES).expect_err("no such block");
        assert!(matches!(error, RegionError::MissingReference { .. }), "{error}");
    }
}
