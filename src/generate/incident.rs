//! Incidents of social networks as records: one JSON object an event, with only the fields an event of its kind carries.
//! Owner: the simulation. Invariants: `at` is the event time in whole seconds with the Moscow offset; a record always ends with
//! a text field.

use chrono::Datelike;

use super::case::{Case, Mood, Step};
use super::dice::Dice;
use super::faults::BrokenKind;
use super::json::{ObjectWriter, push_digits};
use super::names::push_author;
use super::pos::one_name;
use super::rhythm::{civil, moscow_day, second_of_day};
use super::template::{Subject, push_address};
use super::texts::TextBook;
use super::world::World;
use crate::model::time::Time;

/// Share of records whose sender escapes everything above ASCII.
const ESCAPED_OF_THOUSAND: usize = 100;

/// The case's number in the source: the Kafka key and `incident_id`.
pub(super) fn push_id(out: &mut String, serial: u64, year: i32) {
    out.push_str("IM-");
    push_digits(out, u64::from(year.unsigned_abs()), 4);
    out.push('-');
    push_digits(out, serial, 7);
}

/// The year an id carries.
pub(super) fn year_of(at: Time) -> i32 {
    civil(moscow_day(at)).year()
}

fn event_name(step: Step) -> &'static str {
    match step {
        Step::Found => "found",
        Step::Taken => "taken",
        Step::InterimAnswer => "interim_answer",
        Step::Answered => "answered",
        Step::Closed => "closed",
        Step::Reaction => "author_reaction",
        Step::Returned => "returned",
        Step::MarkedDuplicate => "duplicate",
        Step::MarkedSpam => "spam",
        _ => "routed",
    }
}

/// `2026-01-06T12:34:56+03:00`
pub(super) fn push_moment(out: &mut String, at: Time) {
    let date = civil(moscow_day(at));
    let second = u64::from(second_of_day(at));
    push_digits(out, u64::from(date.year().unsigned_abs()), 4);
    for (mark, value) in [
        ('-', u64::from(date.month())),
        ('-', u64::from(date.day())),
        ('T', second / 3600),
        (':', second / 60 % 60),
        (':', second % 60),
    ] {
        out.push(mark);
        push_digits(out, value, 2);
    }
    out.push_str("+03:00");
}

/// The buffers a writer needs.
pub(super) struct Desk<'a> {
    pub(super) book: &'a mut TextBook,
    pub(super) spare: &'a mut String,
    pub(super) dice: &'a mut Dice,
    pub(super) identifiers_share: f64,
}

/// Writes the event of the case's present step; `broken` spoils one field.
pub(super) fn write(case: &Case, world: &World, broken: Option<BrokenKind>, out: &mut Vec<u8>, desk: &mut Desk<'_>) {
    let escape = case.trait_of(20 + u64::from(case.steps), 1000) < ESCAPED_OF_THOUSAND;
    let mut object = ObjectWriter::new(out, escape);
    let mut build = |object: &mut ObjectWriter<'_>, name: &str, fill: &dyn Fn(&mut String)| {
        desk.spare.clear();
        fill(desk.spare);
        object.text(name, desk.spare);
    };
    build(&mut object, "event_id", &|text| {
        text.push_str("ev-");
        push_digits(text, case.serial, 8);
        text.push('-');
        push_digits(text, u64::from(case.steps), 2);
    });
    let year = year_of(case.registered);
    if broken != Some(BrokenKind::MissingCaseId) {
        build(&mut object, "incident_id", &|text| push_id(text, case.serial, year));
    }
    match broken {
        Some(BrokenKind::UnknownWord) => object.text("event", "escalated_to_curator"),
        Some(BrokenKind::WrongType) if case.trait_of(21, 2) == 0 => object.integer("event", 7),
        Some(BrokenKind::WrongType) => object.list("event", event_name(case.step)),
        _ => object.text("event", event_name(case.step)),
    }
    match broken {
        Some(BrokenKind::BadDate) => object.text("at", "32.13.2026"),
        _ => build(&mut object, "at", &|text| push_moment(text, case.touched)),
    }
    match case.step {
        Step::Found => write_found(&mut object, case, world, desk),
        Step::Routed | Step::Returned => object.text("body", body_name(case, world)),
        Step::InterimAnswer | Step::Answered => {
            object.text("body", body_name(case, world));
            let subject = subject(case, world);
            let interim = case.step == Step::InterimAnswer;
            let answer = if interim {
                desk.book.interim_answer(&subject, desk.dice)
            } else {
                desk.book.answer(&subject, desk.dice)
            };
            object.text("answer_text", answer);
        }
        Step::Reaction => object.text(
            "reaction",
            match case.mood {
                Mood::None => "none",
                Mood::Satisfied => "satisfied",
                Mood::NotSatisfied => "not_satisfied",
            },
        ),
        Step::MarkedDuplicate => build(&mut object, "duplicate_of", &|text| push_id(text, case.twin, year)),
        _ => {}
    }
    object.finish();
}

/// The full name, the short one or an alias: people at the desk type what they are used to.
pub(super) fn body_name<'a>(case: &Case, world: &'a World) -> &'a str {
    let body = &world.region.bodies[usize::from(case.holder)];
    match case.trait_of(22 + u64::from(case.transfers), 4) {
        0 | 1 => &body.short,
        _ => one_name(&body.name, &body.aliases, case.trait_of(23, 64)),
    }
}

pub(super) fn subject<'a>(case: &Case, world: &'a World) -> Subject<'a> {
    let topic = usize::from(case.topic);
    let place = &world.places[usize::from(case.territory)];
    let territory = &world.region.territories[usize::from(case.territory)];
    let settlement = place.settlements.get(case.trait_of(24, place.settlements.len().max(1)));
    Subject {
        topic,
        block: world.block_of[topic],
        topic_name: &world.region.topics[topic].name,
        place: settlement.map_or(territory.name.as_str(), String::as_str),
        street: place.streets.get(usize::from(case.street)).map_or("Центральная", String::as_str),
        house: case.house,
        now: case.touched,
    }
}

fn write_found(object: &mut ObjectWriter<'_>, case: &Case, world: &World, desk: &mut Desk<'_>) {
    let region = &world.region;
    let topic = &region.topics[usize::from(case.topic)];
    let block = &region.blocks[world.block_of[usize::from(case.topic)]];
    let territory = &region.territories[usize::from(case.territory)];
    let place = &world.places[usize::from(case.territory)];
    let author = u64::from(case.author);
    let network = ["vk", "vk", "vk", "vk", "vk", "vk", "vk", "tg", "tg", "ok", "ok", "max"][(author % 12) as usize];
    object.text("network", network);

    let spare = &mut *desk.spare;
    spare.clear();
    let post = case.trait_of(25, 9_000_000) as u64;
    let (opening, community) = match network {
        "vk" => ("https://vk.com/wall-", 30_000_000 + case.trait_of(26, 40) as u64 * 1_234_567),
        "ok" => ("https://ok.ru/group/", 50_000_000_000 + case.trait_of(26, 20) as u64),
        "tg" => ("https://t.me/ryazan_chat", 1 + case.trait_of(26, 30) as u64),
        _ => ("https://max.ru/c/", 1000 + case.trait_of(26, 30) as u64),
    };
    spare.push_str(opening);
    push_digits(spare, community, 1);
    spare.push_str(if network == "vk" { "_" } else { "/" });
    push_digits(spare, post, 1);
    object.text("post_url", spare);

    spare.clear();
    push_digits(spare, 1_000_000 + author % 798_000_000, 1);
    object.text("author_id", spare);
    spare.clear();
    push_author(spare, author);
    object.text("author_name", spare);

    let subject = subject(case, world);
    object.text("text", desk.book.message(&subject, desk.identifiers_share, desk.dice));
    object.text("group", one_name(&block.name, &block.aliases, case.trait_of(5, 64)));
    object.text("topic", one_name(&topic.name, &topic.aliases, case.trait_of(6, 64)));

    // Two of a hundred do not say where, or say it in a way nobody can tell.
    match case.trait_of(27, 100) {
        0 => {}
        1 => object.text("municipality", "Рязанская область"),
        _ => object.text("municipality", one_name(&territory.name, &territory.aliases, case.trait_of(28, 64))),
    }
    spare.clear();
    spare.push_str(subject.place);
    spare.push_str(", ");
    push_address(spare, subject.street, subject.house);
    object.text("address", spare);
    if case.trait_of(29, 100) < 60 {
        // Within about three kilometres of the centre.
        object.millionths("lat", u64::from(place.latitude) + case.trait_of(30, 60_000) as u64 - 30_000);
        object.millionths("lon", u64::from(place.longitude) + case.trait_of(31, 100_000) as u64 - 50_000);
    }
    object.text("priority", if case.urgent { "срочный" } else { "обычный" });
}
