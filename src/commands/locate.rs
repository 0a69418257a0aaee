//! `tsur locate`: where messages are from, and why, for methodologists who keep the gazetteer. Reads lines, needs no server.

use std::io::{BufRead, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::commands::load;
use crate::enrich::locate::{Atlas, Evidence, Locator, Manner, Meaning, Place, StreetFound};
use crate::text::{Tokens, Words, tokenize};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  echo 'В селе Константиново Рыбновского района нет света' | tsur locate
  tsur locate --address --format json < addresses.txt
  tsur locate --date 2025-12-31 < messages.txt")]
pub struct Args {
    /// The lines are addresses, not messages
    #[arg(long)]
    address: bool,
    /// The day of the messages, for what a territory was then; today, if not given
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day_of)]
    date: Option<String>,
    /// How it is told: text, or json with one object a line
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

fn day_of(text: &str) -> Result<String, String> {
    match text.parse::<chrono::NaiveDate>() {
        Ok(day) => Ok(day.format("%Y-%m-%d").to_string()),
        Err(_) => Err(format!("{text:?} is not a day like 2026-01-01")),
    }
}

/// One line's place.
#[derive(Serialize)]
struct Found<'a> {
    line: usize,
    territory: Option<&'a str>,
    name: Option<&'a str>,
    /// What the territory was on the day.
    unit: Option<&'a str>,
    unit_name: Option<&'a str>,
    settlement: Option<String>,
    quarter: Option<&'a str>,
    street: Option<&'a str>,
    house: Option<&'a str>,
    confidence: u8,
    how: &'static str,
    candidates: Vec<&'a str>,
    because: Vec<Piece<'a>>,
}

/// One reason.
#[derive(Serialize)]
struct Piece<'a> {
    text: &'a str,
    means: String,
    weight: u8,
}

pub fn main(folder: &Path, args: &Args) -> anyhow::Result<()> {
    let config = load(folder)?;
    let atlas = Arc::new(Atlas::new(&config.reference));
    let mut locator = Locator::new(atlas.clone());
    let (mut words, mut tokens) = (Words::new(), Tokens::new());
    let manner = if args.address { Manner::Address } else { Manner::Text };
    let today = chrono::Local::now().format("%Y-%m-%d").to_string();
    let day = args.date.as_deref().unwrap_or(&today);
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line?;
        tokenize(&line, &mut words, &mut tokens);
        let place = locator.locate(&line, &tokens, &words, manner);
        let found = tell(&atlas, number + 1, &line, &place, locator.evidence(), day);
        match args.format {
            Format::Json => writeln!(out, "{}", serde_json::to_string(&found)?)?,
            Format::Text => write_text(&mut out, &line, &found)?,
        }
    }
    out.flush()?;
    Ok(())
}

fn tell<'a>(
    atlas: &'a Atlas,
    number: usize,
    line: &'a str,
    place: &Place,
    pieces: &[Evidence],
    day: &str,
) -> Found<'a> {
    let gazetteer = atlas.gazetteer();
    let unit = atlas.unit_at(place, day);
    let territory = place.territory.map(|index| atlas.territory(index));
    let street = place.street.map(|street| match street {
        StreetFound::Known(index) => gazetteer.streets[usize::from(index)].name.as_str(),
        StreetFound::Written(start, end) => &line[start as usize..end as usize],
    });
    let settlement = place.settlement.map(|index| {
        let settlement = &gazetteer.settlements[usize::from(index)];
        format!("{} {}", settlement.kind.short(), settlement.name)
    });
    let piece = |piece: &Evidence| Piece {
        text: &line[piece.start as usize..piece.end as usize],
        means: meaning(atlas, piece.meaning),
        weight: piece.weight,
    };
    Found {
        line: number,
        territory: territory.map(|territory| territory.code.as_str()),
        name: territory.map(|territory| territory.name.as_str()),
        unit: unit.map(|unit| unit.code),
        unit_name: unit.map(|unit| unit.name),
        settlement,
        quarter: place.quarter.map(|index| gazetteer.quarters[usize::from(index)].name.as_str()),
        street,
        house: Some(place.house.of(line)).filter(|house| !house.is_empty()),
        confidence: place.confidence,
        how: place.how.name(),
        candidates: place.candidates.iter().map(|index| atlas.territory(index).code.as_str()).collect(),
        because: pieces.iter().map(piece).collect(),
    }
}

fn meaning(atlas: &Atlas, meaning: Meaning) -> String {
    match meaning {
        Meaning::Territory(index) => atlas.territory(index).name.clone(),
        Meaning::Place(name, _) => {
            let owners: Vec<&str> = atlas.owners_of(name).map(|index| atlas.territory(index).code.as_str()).collect();
            format!("населённый пункт или квартал: {}", owners.join(" | "))
        }
        Meaning::Street(index) => {
            let street = &atlas.gazetteer().streets[usize::from(index)];
            let share = if street.own {
                "есть только в городе"
            } else {
                "есть во многих местах"
            };
            format!("{} ({share})", street.name)
        }
        Meaning::WrittenStreet => "улица не из справочника".to_owned(),
        Meaning::Outside => "место вне области".to_owned(),
        Meaning::UnknownSettlement => "населённый пункт не из справочника".to_owned(),
    }
}

fn write_text(out: &mut impl Write, line: &str, found: &Found) -> std::io::Result<()> {
    let place = match (found.name, found.candidates.as_slice()) {
        (Some(name), _) => format!("{name} ({}, {} %)", found.territory.unwrap_or_default(), found.confidence),
        (None, []) => "неизвестно".to_owned(),
        (None, some) => format!("неизвестно; возможно: {}", some.join(", ")),
    };
    writeln!(out, "{line}\n  место: {place}")?;
    if let Some(unit) = found.unit_name.filter(|unit| Some(*unit) != found.name) {
        writeln!(out, "  на этот день: {unit}")?;
    }
    let parts = [found.settlement.as_deref(), found.quarter, found.street, found.house];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        writeln!(out, "  адрес: {}", parts.join(", "))?;
    }
    for piece in &found.because {
        writeln!(out, "  «{}» – {}, вес {}", piece.text, piece.means, piece.weight)?;
    }
    Ok(())
}
