//! Reads `alerts/*.toml`: the levels of the escalation ladder and how the addressees are called.
//! Owner: `config`. Invariant: what is returned has one to eight levels with unique names in the order of their moments.

use super::errors::Errors;
use super::files::{ConfigFile, Folder};
use super::reader::{Document, Table};
use super::reference::Reference;
use crate::alerts::gate::{Delivery, Quiet};
use crate::alerts::levels::{ALL_CLOCKS, CLOCKS, Ladder, Level, MAX_LEVELS, Moment, Role};

const NAME: &str = "1 to 40 small latin letters, digits and _";
const ROLES: [(&str, Role); 4] =
    [("body", Role::Body), ("head", Role::Head), ("responsible", Role::Responsible), ("curator", Role::Curator)];
/// Thirty days: beyond that a reminder reminds nobody.
const LONGEST_AFTER: i64 = 720;

/// The default ladder where the folder is not there.
pub fn read(folder: &Folder, reference: &Reference, errors: &Errors) -> Ladder {
    let mut files = folder.inside("alerts");
    let Some(file) = files.next() else { return Ladder::default() };
    for more in files {
        errors.add_whole(&more.name, "", "a second file of the ladder", format!("one file; {} is there", file.name));
    }
    ladder(file, reference, errors)
}

fn ladder(file: &ConfigFile, reference: &Reference, errors: &Errors) -> Ladder {
    Document::read(&file.name, &file.text, errors, |root| {
        let default = Ladder::default();
        let mut levels: Vec<Level> = Vec::new();
        for table in root.tables("level") {
            let Some(level) = level(&table) else { continue };
            if levels.iter().any(|earlier| earlier.name == level.name) {
                table.refuse("name", format!("{:?} is the name of an earlier level", level.name), "a name of its own");
            }
            if levels.last().is_some_and(|earlier| order(earlier.moment) >= order(level.moment)) {
                table.refuse_whole("comes before the level above it", "levels in the order of their moments");
            }
            levels.push(level);
        }
        if levels.is_empty() || levels.len() > MAX_LEVELS {
            root.refuse("level", format!("{} sound levels", levels.len()), format!("1 to {MAX_LEVELS} levels"));
        }
        let mut posts = std::collections::HashMap::new();
        for table in root.tables("block") {
            let names = (table.text("head"), table.text("responsible"));
            let Some(code) = table.require_text("code") else { continue };
            if !reference.blocks.iter().any(|block| block.code == code) {
                table.refuse("code", format!("{code:?} is no block"), "a code of reference/blocks.toml");
            }
            if posts.insert(code.clone(), names).is_some() {
                table.refuse("code", format!("{code:?} is there twice"), "each block once");
            }
        }
        let calendar_days = root.table("calendar").integer("days_before", 1..=730).unwrap_or(default.calendar_days);
        let delivery = delivery(&root.table("delivery"), &levels);
        Ladder { levels, posts, curator: root.text("curator").unwrap_or(default.curator), delivery, calendar_days }
    })
}

fn level(table: &Table) -> Option<Level> {
    let name = table.require_text("name").filter(|name| {
        let sound = name.len() <= 40 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !sound {
            table.refuse("name", format!("{name:?} is no name of a level"), NAME);
        }
        sound
    });
    let share = table.item("percent");
    let after = table.item("hours_after");
    let role = table.require("to", "body | head | responsible | curator").and_then(|item| item.choice(&ROLES));
    let moment = match (share, after) {
        (Some(share), None) => share.integer(1..=99).map(Moment::Share),
        (None, Some(after)) => {
            after.integer::<u32>(0..=LONGEST_AFTER).map(|hours| Moment::Breach { after: hours * 3600 })
        }
        _ => {
            table.refuse_whole("needs one moment", "either percent = 1 to 99, or hours_after = 0 (the breach) or more");
            None
        }
    };
    Some(Level { name: name?, moment: moment?, role: role?, clocks: clocks(table) })
}

fn clocks(table: &Table) -> u8 {
    let words = table.texts("clocks");
    let mut bits = 0;
    for word in &words {
        match CLOCKS.iter().position(|clock| clock.name() == word) {
            Some(place) => bits |= 1 << place,
            None => {
                table.refuse("clocks", format!("{word:?} is no clock"), CLOCKS.map(|clock| clock.name()).join(" | "))
            }
        }
    }
    if words.is_empty() { ALL_CLOCKS } else { bits }
}

fn delivery(table: &Table, levels: &[Level]) -> Delivery {
    let default = Delivery::default();
    let quiet = match (time_of_day(table, "quiet_from"), time_of_day(table, "quiet_to")) {
        (Some(from), Some(to)) if from != to => Some(Quiet { from, to, except: except(table, levels) }),
        (None, None) => {
            if !except(table, levels).is_empty() {
                table.refuse("quiet_except", "there are no quiet hours", "quiet_from and quiet_to with it");
            }
            None
        }
        _ => {
            table.refuse_whole(
                "quiet hours need a beginning and another end",
                "quiet_from = \"22:00\", quiet_to = \"07:00\"",
            );
            None
        }
    };
    Delivery {
        singles: table.integer("singles", 0..=10_000).unwrap_or(default.singles),
        group_seconds: table.integer("group_seconds", 1..=3_600).unwrap_or(default.group_seconds),
        per_hour: table.integer("per_hour", 0..=100_000).unwrap_or(default.per_hour),
        quiet,
    }
}

fn except(table: &Table, levels: &[Level]) -> Vec<String> {
    let names = table.texts("quiet_except");
    for name in names.iter().filter(|name| levels.iter().all(|level| level.name != **name)) {
        table.refuse("quiet_except", format!("{name:?} is no level"), "names of the levels above");
    }
    names
}

/// Seconds of the day.
fn time_of_day(table: &Table, key: &'static str) -> Option<u32> {
    let text = table.text(key)?;
    let parsed = text.split_once(':').and_then(|(hours, minutes)| {
        let (hours, minutes) = (hours.parse::<u32>().ok()?, minutes.parse::<u32>().ok()?);
        (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)
    });
    if parsed.is_none() {
        table.refuse(key, format!("{text:?} is no time of day"), "HH:MM, Moscow time");
    }
    parsed
}

fn order(moment: Moment) -> (bool, u32) {
    match moment {
        Moment::Share(percent) => (false, u32::from(percent)),
        Moment::Breach { after } => (true, after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> (Ladder, Vec<String>) {
        let errors = Errors::default();
        let file = ConfigFile {
            name: "ladder.toml".to_owned(),
            folder: "alerts".to_owned(),
            stem: "ladder".to_owned(),
            text: text.to_owned(),
        };
        let ladder = ladder(&file, &Reference::default(), &errors);
        let mistakes = errors.into_result().err().map_or_else(Vec::new, |all| all.0);
        (ladder, mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_shipped_ladder_is_the_default() {
        let (ladder, mistakes) = read_text(include_str!("../../pipelines/alerts/ladder.toml"));
        assert_eq!((ladder, mistakes), (Ladder::default(), vec![]));
    }

    #[test]
    fn every_mistake_of_a_ladder_is_listed() {
        let text = "[[level]]\nname = \"A\"\npercent = 50\nto = \"body\"\n[[level]]\nname = \"b\"\npercent = 100\nto = \"boss\"\n\
                    [[level]]\nname = \"c\"\nto = \"head\"\n[[block]]\ncode = \"moon\"\nwho = \"x\"\n";
        let (_, mistakes) = read_text(text);
        for wanted in ["level[0].name", "level[1].percent", "level[1].to", "level[2]", "block[0].code", "block[0].who"]
        {
            assert!(mistakes.iter().any(|mistake| mistake.contains(wanted)), "{wanted}: {mistakes:#?}");
        }
    }

    #[test]
    fn quiet_hours_limits_clocks_and_the_days_of_the_calendar_are_read() {
        let text = "[[level]]\nname = \"late\"\nhours_after = 0\nto = \"body\"\nclocks = [\"final_answer\", \"approval\"]\n\
                    [delivery]\nsingles = 3\ngroup_seconds = 30\nper_hour = 9\nquiet_from = \"22:30\"\nquiet_to = \"07:00\"\n\
                    quiet_except = [\"late\"]\n[calendar]\ndays_before = 90\n";
        let (ladder, mistakes) = read_text(text);
        assert_eq!(mistakes, Vec::<String>::new());
        assert_eq!((ladder.levels[0].clocks, ladder.calendar_days), (0b100_0010, 90));
        let quiet = Quiet { from: 22 * 3600 + 1800, to: 7 * 3600, except: vec!["late".to_owned()] };
        assert_eq!(ladder.delivery, Delivery { singles: 3, group_seconds: 30, per_hour: 9, quiet: Some(quiet) });
    }

    #[test]
    fn mistakes_of_delivery_and_clocks_are_named() {
        let text = "[[level]]\nname = \"late\"\nhours_after = 0\nto = \"body\"\nclocks = [\"third_answer\"]\n\
                    [delivery]\nsingles = -1\nquiet_from = \"25:00\"\nquiet_to = \"07:00\"\n";
        let (_, mistakes) = read_text(text);
        for wanted in ["level[0].clocks", "delivery.singles", "delivery.quiet_from"] {
            assert!(mistakes.iter().any(|mistake| mistake.contains(wanted)), "{wanted}: {mistakes:#?}");
        }
    }

    #[test]
    fn a_level_out_of_order_and_a_doubled_name_are_refused() {
        let text = "[[level]]\nname = \"a\"\nhours_after = 0\nto = \"body\"\n[[level]]\nname = \"a\"\npercent = 50\nto = \"head\"\n";
        assert_eq!(read_text(text).1.len(), 2, "{:?}", read_text(text).1);
    }
}
