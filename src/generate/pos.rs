//! The ПОС export as records: one JSON object a snapshot, the 25 columns of the real export in their order, «-» for nothing.
//! Owner: the simulation. Invariant: two snapshots of one case are never equal, because the status, the holder, the round or
//! the rating has changed between them.

use super::case::{Case, Decision, Step};
use super::faults::BrokenKind;
use super::json::{ObjectWriter, push_digits};
use super::names::{OFFICIALS, push_official};
use super::rhythm::{civil, moscow_day};
use super::template::push_date;
use super::world::World;

/// The columns of the export, in order.
pub const POS_COLUMNS: [&str; 25] = [
    "Номер",
    "Номер ЕПГУ",
    "Источник",
    "Верхнеуровневый ЛКО",
    "Категория",
    "Подкатегория",
    "Факт",
    "Организация, в которую поступило сообщение",
    "Организация, в которой находится сообщение",
    "Дата поступления",
    "Дата планируемого завершения работ",
    "Дата фактического завершения работ",
    "Стадия",
    "Статус",
    "Просрочено",
    "Фаст-трек",
    "ФЗ",
    "Заявитель выбрал подачу по 59-ФЗ",
    "Тип решения",
    "Направлено по email в ФОИВ, не подключенный к ПОС",
    "Оценка ответа заявителем",
    "Повторное рассмотрение",
    "ФИО координатора",
    "ФИО исполнителя",
    "ФИО руководителя",
];

const ORIGINS: [&str; 5] = ["ЕПГУ", "Мобильное приложение", "Виджет на сайте", "MED_DOC_EPGU", "Голосовой помощник"];
/// The source's numbers have nine digits.
const FIRST_NUMBER: u64 = 300_000_000;

/// The case's number in the source: the Kafka key and the column «Номер».
pub(super) fn push_number(out: &mut String, case: &Case) {
    push_digits(out, FIRST_NUMBER + case.serial, 9);
}

fn stage_and_status(case: &Case) -> (&'static str, &'static str) {
    match case.step {
        Step::OnModeration => ("Модерация", "На модерации"),
        Step::Declined => ("Завершено", "Отклонено модератором"),
        Step::OnCoordination | Step::Reopening => ("Координация", "На координации"),
        Step::SentDown => ("Исполнение", "Направлено в подведомственную организацию"),
        Step::SentUp => ("Исполнение", "Передано в вышестоящую организацию"),
        Step::Extended => ("Исполнение", "Перенос срока обработки утвержден. Отправлен ответ Заявителю"),
        Step::OnApproval => ("Утверждение", "Ответ на утверждении"),
        Step::Answer | Step::Rating => ("Завершено", "Отправлен ответ заявителю"),
        _ => ("Исполнение", "Назначен исполнитель"),
    }
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "Да" } else { "Нет" }
}

/// A category as this case spells it: usually tidy, sometimes with a doubled space or in capitals.
fn push_spelled(out: &mut String, name: &str, case: &Case) {
    match case.trait_of(1, 100) {
        0 => out.extend(name.chars().flat_map(char::to_uppercase)),
        1 => {
            for (place, word) in name.split(' ').enumerate() {
                out.push_str(if place > 0 { "  " } else { "" });
                out.push_str(word);
            }
        }
        _ => out.push_str(name),
    }
}

/// Fills the columns one after another.
struct Row<'a> {
    object: ObjectWriter<'a>,
    columns: std::slice::Iter<'static, &'static str>,
    spare: &'a mut String,
}

impl Row<'_> {
    fn column(&mut self) -> &'static str {
        self.columns.next().copied().unwrap_or_default()
    }

    fn put(&mut self, value: &str) {
        let column = self.column();
        self.object.text(column, value);
    }

    fn build(&mut self, fill: impl FnOnce(&mut String)) {
        self.spare.clear();
        fill(self.spare);
        let column = self.column();
        self.object.text(column, self.spare);
    }

    /// A Moscow day, «-» when unset.
    fn date(&mut self, day: u32) {
        if day == 0 {
            self.put("-");
        } else {
            self.build(|text| push_date(text, civil(day)));
        }
    }
}

/// Writes the whole row of the case as it stands; `broken` spoils one field. `spare` is a buffer.
pub(super) fn write(case: &Case, world: &World, broken: Option<BrokenKind>, out: &mut Vec<u8>, spare: &mut String) {
    let region = &world.region;
    let topic = &region.topics[usize::from(case.topic)];
    let block = &region.blocks[world.block_of[usize::from(case.topic)]];
    let body = |index: u16| region.bodies[usize::from(index)].name.as_str();
    let (stage, status) = stage_and_status(case);
    let mut row = Row { object: ObjectWriter::new(out, false), columns: POS_COLUMNS.iter(), spare };

    match broken {
        Some(BrokenKind::MissingCaseId) if case.trait_of(2, 2) == 0 => row.put("-"),
        // The column is absent altogether.
        Some(BrokenKind::MissingCaseId) => _ = row.column(),
        _ => row.build(|text| push_number(text, case)),
    }
    row.build(|text| push_digits(text, 6_000_000_000 + case.trait_of(3, 999_999_999) as u64, 10));
    row.put(ORIGINS[case.trait_of(4, ORIGINS.len())]);
    row.put("Рязанская область");
    row.build(|text| push_spelled(text, one_name(&block.name, &block.aliases, case.trait_of(5, 64)), case));
    row.build(|text| push_spelled(text, one_name(&topic.name, &topic.aliases, case.trait_of(6, 64)), case));
    row.put(&topic.name);
    row.put(body(case.received_by));
    row.put(body(case.holder));
    match broken {
        Some(BrokenKind::BadDate) => row.put("32.13.2026"),
        _ => row.date(moscow_day(case.registered)),
    }
    row.date(case.planned_day);
    row.date(case.completed_day);
    row.put(stage);
    match broken {
        Some(BrokenKind::UnknownWord) => row.put("Ожидает подписания ЭП"),
        Some(BrokenKind::WrongType) => {
            let column = row.column();
            row.object.list(column, status);
        }
        _ => row.put(status),
    }
    // The source's own flag is sometimes wrong, as in life.
    row.put(yes_no(case.is_overdue() != (case.trait_of(7, 200) == 0)));
    row.put(yes_no(case.fast_track));
    row.put(if case.law59 { "59-ФЗ" } else { "Обычное сообщение" });
    row.put(yes_no(case.law59));
    row.put(match case.decision {
        Decision::None => "-",
        Decision::Solved => "Решено",
        Decision::NotSolved => "Не решено",
        Decision::Explained => "Разъяснено",
        Decision::Deferred => "Отложено",
    });
    row.put("-");
    row.put(["-", "1", "2", "3", "4", "5"][usize::from(case.rating.min(5))]);
    row.put(if case.round > 0 { "Да" } else { "-" });
    let official = |salt| case.trait_of(salt, OFFICIALS) as u64;
    if matches!(case.step, Step::OnModeration | Step::Declined) {
        row.put("-");
    } else {
        row.build(|text| push_official(text, official(8)));
    }
    if matches!(case.step, Step::OnModeration | Step::Declined | Step::OnCoordination) {
        row.put("-");
    } else {
        // Another executor after every transfer: the neighbour in the list, so never the same one twice.
        row.build(|text| push_official(text, official(9) + 2 * u64::from(case.transfers)));
    }
    if matches!(case.step, Step::OnApproval | Step::Answer | Step::Rating) {
        row.build(|text| push_official(text, official(10)));
    } else {
        row.put("-");
    }
    row.object.finish();
}

/// The name itself or one of its aliases: exports do not agree on the spelling.
pub(super) fn one_name<'a>(name: &'a str, aliases: &'a [String], draw: usize) -> &'a str {
    // Half of the draws give the official name.
    match draw.checked_sub(32).filter(|_| !aliases.is_empty()) {
        Some(rest) => aliases[rest % aliases.len()].as_str(),
        None => name,
    }
}
