//! Records of the channels: rows of questions (СЭД), events of cards (Система-112) and of requests (the portal), in the words of
//! `pipelines/{sed,s112,portal}.toml`. Owner: the simulation.
//! Invariants: two rows of one question are never equal, because the status or the body has changed between them; a record always ends
//! with a text field. Of an appeal one question is simulated.

use super::SourceKind;
use super::case::{Case, Decision, Step};
use super::faults::BrokenKind;
use super::incident::{Desk, body_name, push_moment, subject, year_of};
use super::json::{ObjectWriter, push_digits};
use super::pos::one_name;
use super::rhythm::{civil, moscow_day};
use super::template::{push_address, push_date};
use super::world::World;

/// Days of 59-ФЗ.
const TERM: u32 = 30;

/// The Kafka key: of a question the number of its appeal, otherwise the number of the case.
pub(super) fn push_key(out: &mut String, case: &Case) {
    match case.source {
        SourceKind::Sed => {
            out.push_str("07/19-ОГ-");
            push_digits(out, case.serial, 7);
        }
        SourceKind::S112 => {
            out.push_str("62-");
            push_digits(out, u64::from(year_of(case.registered).unsigned_abs()), 4);
            out.push('-');
            push_digits(out, case.serial, 9);
        }
        _ => {
            let section = if is_peoples_control(case) { "NK-" } else { "ND-" };
            out.push_str(section);
            push_digits(out, case.serial, 7);
        }
    }
}

/// The number of the case.
pub(super) fn push_id(out: &mut String, case: &Case) {
    push_key(out, case);
    if case.source == SourceKind::Sed {
        out.push('/');
        push_digits(out, question(case), 1);
    }
}

fn question(case: &Case) -> u64 {
    1 + case.trait_of(40, 3) as u64
}

fn is_peoples_control(case: &Case) -> bool {
    case.trait_of(41, 100) < 30
}

/// Writes the record of the case's present step; `broken` spoils one field.
pub(super) fn write(case: &Case, world: &World, broken: Option<BrokenKind>, out: &mut Vec<u8>, desk: &mut Desk<'_>) {
    let mut writer = Writer { object: ObjectWriter::new(out, false), case, world, broken };
    match case.source {
        SourceKind::Sed => writer.question(desk),
        SourceKind::S112 => writer.card(desk),
        _ => writer.request(desk),
    }
    writer.object.finish();
}

struct Writer<'a> {
    object: ObjectWriter<'a>,
    case: &'a Case,
    world: &'a World,
    broken: Option<BrokenKind>,
}

impl Writer<'_> {
    fn build(&mut self, name: &str, spare: &mut String, fill: impl FnOnce(&mut String)) {
        spare.clear();
        fill(spare);
        self.object.text(name, spare);
    }

    /// The number, the event and its time, as both sources of events have them.
    fn event(&mut self, id: &str, word: &str, spare: &mut String) {
        let (case, broken) = (self.case, self.broken);
        if broken != Some(BrokenKind::MissingCaseId) {
            self.build(id, spare, |text| push_key(text, case));
        }
        match broken {
            Some(BrokenKind::UnknownWord) => self.object.text("event", "escalated"),
            Some(BrokenKind::WrongType) => self.object.list("event", word),
            _ => self.object.text("event", word),
        }
        match broken {
            Some(BrokenKind::BadDate) => self.object.text("at", "32.13.2026"),
            _ => self.build("at", spare, |text| push_moment(text, case.touched)),
        }
    }

    /// Kind and municipality as people at the desk write them.
    fn theme(&mut self) {
        let (case, region) = (self.case, &self.world.region);
        let block = &region.blocks[self.world.block_of[usize::from(case.topic)]];
        let topic = &region.topics[usize::from(case.topic)];
        let territory = &region.territories[usize::from(case.territory)];
        self.object.text("category", one_name(&block.name, &block.aliases, case.trait_of(5, 64)));
        self.object.text("topic", one_name(&topic.name, &topic.aliases, case.trait_of(6, 64)));
        self.object.text("municipality", one_name(&territory.name, &territory.aliases, case.trait_of(28, 64)));
    }

    fn question(&mut self, desk: &mut Desk<'_>) {
        let (case, broken, region) = (self.case, self.broken, &self.world.region);
        let block = &region.blocks[self.world.block_of[usize::from(case.topic)]];
        let topic = &region.topics[usize::from(case.topic)];
        let body = |index: u16| region.bodies[usize::from(index)].name.as_str();
        if broken != Some(BrokenKind::MissingCaseId) {
            self.build("number", desk.spare, |text| push_key(text, case));
        }
        self.object.integer("question", question(case));
        match broken {
            Some(BrokenKind::BadDate) => self.object.text("registered_at", "32.13.2026"),
            _ => {
                self.build("registered_at", desk.spare, |text| push_date(text, civil(moscow_day(case.registered))));
            }
        }
        let term = if case.interim_given { 2 * TERM } else { TERM };
        self.build("plan", desk.spare, |text| push_date(text, civil(moscow_day(case.registered) + term)));
        if case.completed_day > 0 {
            self.build("fact", desk.spare, |text| push_date(text, civil(case.completed_day)));
        }
        let status = match case.step {
            Step::OnModeration => "NotRegistered",
            Step::Declined => "LeftWithoutAnswer",
            Step::SentDown => "Transferred",
            Step::Extended => "Prolonged",
            Step::Answer => match case.decision {
                Decision::Solved => "Рассмотрено. Поддержано, в том числе меры приняты",
                Decision::NotSolved => "NotSupported",
                _ => "Explained",
            },
            _ => "InWork",
        };
        match broken {
            Some(BrokenKind::UnknownWord) => self.object.text("status", "Archived"),
            Some(BrokenKind::WrongType) => self.object.list("status", status),
            _ => self.object.text("status", status),
        }
        self.object.text("law", if case.trait_of(42, 100) < 4 { "8-ФЗ" } else { "59-ФЗ" });
        self.object.text("kind", ["Жалоба", "Заявление", "Заявление", "Предложение"][case.trait_of(43, 4)]);
        self.object.text("section", one_name(&block.name, &block.aliases, case.trait_of(5, 64)));
        self.object.text("topic", &topic.name);
        self.object.text("received_by", body(case.received_by));
        self.object.text("body", body(case.holder));
        self.object.text("municipality", &region.territories[usize::from(case.territory)].name);
    }

    fn card(&mut self, desk: &mut Desk<'_>) {
        let case = self.case;
        let word = match case.step {
            Step::Found => "created",
            Step::Taken => "accepted",
            Step::Arrived => "arrived",
            Step::MarkedSpam => "false_call",
            Step::MarkedDuplicate => "joined",
            _ => "completed",
        };
        self.event("card", word, desk.spare);
        if case.step == Step::Found {
            self.coordinates();
            self.theme();
            self.object.text("priority", if case.urgent { "срочный" } else { "обычный" });
        }
    }

    fn request(&mut self, desk: &mut Desk<'_>) {
        let (case, world) = (self.case, self.world);
        let word = match case.step {
            Step::Found => "submitted",
            Step::Taken => "published",
            Step::MarkedSpam => "declined",
            Step::MarkedDuplicate => "duplicate",
            Step::Routed => "assigned",
            Step::InterimAnswer => "interim_answer",
            Step::Answered => "answered",
            Step::Rating => "rated",
            Step::Returned => "rework",
            _ => "closed",
        };
        self.event("request_id", word, desk.spare);
        match case.step {
            Step::Found => {
                self.object.text("section", if is_peoples_control(case) { "Народный контроль" } else { "Наш дом" });
                self.coordinates();
                self.theme();
                let subject = subject(case, world);
                self.build("address", desk.spare, |text| push_address(text, subject.street, subject.house));
                self.build("author_id", desk.spare, |text| push_digits(text, u64::from(case.author), 1));
                self.object.text("kind", ["Проблема", "Проблема", "Проблема", "Предложение"][case.trait_of(43, 4)]);
                self.object.text("text", desk.book.message(&subject, desk.identifiers_share, desk.dice));
            }
            Step::Routed | Step::InterimAnswer => self.object.text("body", body_name(case, world)),
            Step::Answered => {
                self.object.text("answer_text", desk.book.answer(&subject(case, world), desk.dice));
            }
            Step::Rating => {
                self.object.text("rating", ["1", "2", "3", "4", "5"][usize::from(case.rating.clamp(1, 5)) - 1])
            }
            _ => {}
        }
    }

    /// Within about three kilometres of the centre of the place.
    fn coordinates(&mut self) {
        let place = &self.world.places[usize::from(self.case.territory)];
        let shift = |salt, span: usize| self.case.trait_of(salt, span) as u64;
        let (latitude, longitude) = (u64::from(place.latitude), u64::from(place.longitude));
        let (north, east) = (shift(30, 60_000), shift(31, 100_000));
        self.object.millionths("lat", latitude + north - 30_000);
        self.object.millionths("lon", longitude + east - 50_000);
    }
}
