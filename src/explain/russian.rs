//! The explanation in Russian, as a lawyer or an operator reads it. Owner: `explain`.
//! Invariant: only words are chosen here; every number and time is one of the explanation.

use std::fmt::Write;

use super::{ClockExplanation, Explanation, PauseLine, StepLine, Verdict, status_text};
use crate::model::time::{MOSCOW_OFFSET_SECONDS, Time};

/// `dd.mm.yyyy hh:mm МСК`; the end of a day with its seconds, because it is the last one.
pub(super) fn moment(time: Time) -> String {
    let local = i64::from(time.seconds()) + i64::from(MOSCOW_OFFSET_SECONDS);
    let Some(at) = chrono::DateTime::from_timestamp(local, 0) else { return String::new() };
    let form = if local % 60 == 0 { "%d.%m.%Y %H:%M МСК" } else { "%d.%m.%Y %H:%M:%S МСК" };
    at.format(form).to_string()
}

/// The same from the text of the JSON form.
fn when(iso: &str) -> String {
    let at = chrono::DateTime::parse_from_rfc3339(iso).ok().and_then(|at| Time::from_unix_seconds(at.timestamp()));
    at.map_or_else(|| iso.to_owned(), moment)
}

pub(super) fn clock(name: &str) -> &'static str {
    match name {
        "first_answer" => "Первый ответ",
        "final_answer" => "Окончательный ответ",
        "dispatch" => "Направление исполнителю",
        "moderation" => "Этап «модерация»",
        "coordination" => "Этап «координация»",
        "execution" => "Этап «исполнение»",
        _ => "Этап «согласование»",
    }
}

fn started_by(name: &str) -> &'static str {
    match name {
        "registration" => "с регистрации",
        "detection" => "с обнаружения",
        "dispatch" => "с направления исполнителю",
        "interim_answer" => "с промежуточного ответа",
        "return" => "с возврата на повторное рассмотрение",
        _ => "с начала этапа",
    }
}

fn event(name: &str) -> &'static str {
    match name {
        "registered" => "зарегистрировано",
        "routed" => "направлено исполнителю",
        "interim_answer" => "промежуточный ответ",
        "answered" => "ответ",
        "closed" => "закрыто",
        "rated" => "оценка автора",
        "declined" => "отклонено",
        "returned" => "возврат на доработку",
        "deferred" => "отложено",
        "reopened" => "повторное рассмотрение",
        "merged" => "объединено как дубль",
        "status_changed" => "смена статуса",
        "extended" => "продление срока",
        _ => "изменение сведений",
    }
}

fn condition(name: &str) -> &'static str {
    match name {
        "source" => "источник",
        "law" => "закон",
        "fast_track" => "фаст-трек",
        "repeated" => "повторное рассмотрение",
        "priority" => "срочность",
        "kind" => "вид обращения",
        "block" => "отраслевой блок",
        "topic" => "тема",
        _ => "организация",
    }
}

fn value(text: &str) -> &str {
    match text {
        "" => "неизвестно",
        "true" => "да",
        "false" => "нет",
        "none" => "не применяется",
        "normal" => "обычная",
        "urgent" => "срочная",
        same => same,
    }
}

/// «3 дня», «21 день», «11 дней».
fn plural(number: u64, one: &str, few: &str, many: &str) -> String {
    let form = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => one,
        (2..=4, tens) if !(12..=14).contains(&tens) => few,
        _ => many,
    };
    format!("{number} {form}")
}

fn amount(number: u32, unit: &str) -> String {
    let number = u64::from(number);
    match unit {
        "minutes" => plural(number, "минута", "минуты", "минут"),
        "hours" => plural(number, "час", "часа", "часов"),
        "days" => plural(number, "календарный день", "календарных дня", "календарных дней"),
        "working_hours" => plural(number, "рабочий час", "рабочих часа", "рабочих часов"),
        _ => plural(number, "рабочий день", "рабочих дня", "рабочих дней"),
    }
}

/// «2 дня 3 ч 5 мин».
fn length(seconds: u32) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let mut parts = Vec::new();
    if days > 0 {
        parts.push(plural(u64::from(days), "день", "дня", "дней"));
    }
    if hours > 0 {
        parts.push(format!("{hours} ч"));
    }
    if minutes > 0 {
        parts.push(format!("{minutes} мин"));
    }
    if parts.is_empty() {
        parts.push(format!("{seconds} с"));
    }
    parts.join(" ")
}

/// Working hours do not make days of 24.
fn hours(seconds: u32) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut parts = Vec::new();
    if hours > 0 {
        parts.push(format!("{hours} ч"));
    }
    if minutes > 0 {
        parts.push(format!("{minutes} мин"));
    }
    if rest > 0 || parts.is_empty() {
        parts.push(format!("{rest} с"));
    }
    parts.join(" ")
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "не указано" } else { text }
}

pub(super) fn text(told: &Explanation) -> String {
    let mut out = String::new();
    write(told, &mut out).map_or_else(|_| String::new(), |()| out)
}

fn write(told: &Explanation, out: &mut String) -> std::fmt::Result {
    writeln!(out, "Дело {} (источник {})", told.case_id, told.source)?;
    writeln!(out, "Состояние: {}; у кого: {}", status_text(told.status), or_dash(&told.holder))?;
    if told.review_round > 0 {
        writeln!(out, "Рассмотрение: повторное, возвратов {}", told.review_round)?;
    }
    writeln!(out, "\nПравило сроков")?;
    for passed in &told.passed_over {
        writeln!(out, "  не подошло «{}»:", passed.policy)?;
        for unmet in &passed.unmet {
            let (wanted, found) = (value(&unmet.wanted), value(&unmet.found));
            writeln!(out, "    {}: требуется {wanted}, в деле {found}", condition(unmet.condition))?;
        }
    }
    match &told.policy {
        Some(policy) => {
            writeln!(out, "  применено «{policy}»")?;
            writeln!(out, "  основание: {}", told.source_note)?;
        }
        None => writeln!(out, "  ни одно правило не подошло: сроков у дела нет")?,
    }
    for clock in &told.clocks {
        write_clock(clock, out)?;
    }
    if !told.remarks.is_empty() {
        writeln!(out, "\nПримечания")?;
    }
    for remark in &told.remarks {
        writeln!(out, "  {remark}")?;
    }
    writeln!(out, "\nХод дела (в порядке поступления)")?;
    for line in &told.history {
        let at = line.at.as_deref().map_or_else(|| "время неизвестно".to_owned(), when);
        let (event, status) = (event(line.event), status_text(line.status));
        writeln!(out, "  {at}  {event}; состояние: {status}; у кого: {}", or_dash(&line.holder))?;
    }
    Ok(())
}

fn write_clock(told: &ClockExplanation, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\n{}", clock(told.clock))?;
    let by = told.calendar.as_ref().map_or_else(String::new, |name| format!(", календарь «{name}»"));
    writeln!(out, "  срок: {} {}{by}", amount(told.goal, told.unit), started_by(told.started_by))?;
    let Some(start) = &told.start else {
        return writeln!(out, "  отсчёт не начался");
    };
    writeln!(out, "  начало: {}", when(start))?;
    for pause in &told.pauses {
        write_pause(pause, told.unit, out)?;
    }
    for step in &told.steps {
        write_step(step, out)?;
    }
    if let Some(due) = &told.due {
        writeln!(out, "  срок истекает: {}", when(due))?;
    }
    if let Some(stop) = &told.stop {
        writeln!(out, "  исполнено: {}", when(stop))?;
    }
    let seconds = length(told.seconds);
    match told.verdict {
        Verdict::NotStarted => writeln!(out, "  вывод: отсчёт не начался")?,
        Verdict::NoCalendar => writeln!(out, "  вывод: срок не вычислен, в календаре нет нужного года")?,
        Verdict::OnTime => writeln!(out, "  вывод: в срок, запас {seconds}")?,
        Verdict::Late => writeln!(out, "  вывод: просрочено на {seconds}")?,
        Verdict::Running => writeln!(out, "  вывод: срок идёт, осталось {seconds}")?,
        Verdict::RunningLate => writeln!(out, "  вывод: просрочено на {seconds}, не исполнено")?,
        Verdict::Paused => writeln!(out, "  вывод: отсчёт приостановлен")?,
    }
    if let Some(holder) = &told.holder_at_due {
        writeln!(out, "  когда срок истёк, дело было у: {}", or_dash(holder))?;
    }
    Ok(())
}

fn write_pause(pause: &PauseLine, unit: &str, out: &mut String) -> std::fmt::Result {
    let to = pause.to.as_deref().map_or_else(|| "продолжается".to_owned(), when);
    let counted = match unit {
        "days" | "working_days" => amount(u32::from(pause.days), unit),
        "working_hours" => format!("{} рабочего времени", hours(pause.seconds)),
        _ => length(pause.seconds),
    };
    let status = status_text(pause.status);
    writeln!(out, "  пауза: {} – {to} (состояние: {status}), не засчитано {counted}", when(&pause.from))
}

fn write_step(step: &StepLine, out: &mut String) -> std::fmt::Result {
    match step {
        StepLine::Counted {
            amount: number,
            unit,
            paused_seconds,
            paused_days,
            from,
            to,
            days_off,
            working_weekends,
            worked,
        } => {
            let is_days = unit.ends_with("days");
            let more = match (is_days, *paused_days, *paused_seconds) {
                (true, days, _) if days > 0 => format!(" + пауза {}", amount(u32::from(days), unit)),
                (false, _, seconds) if seconds > 0 => format!(" + пауза {}", hours(seconds)),
                _ => String::new(),
            };
            writeln!(out, "  отсчёт: {}{more} от {} → {}", amount(*number, unit), when(from), when(to))?;
            for off in days_off {
                if off.from == off.to {
                    writeln!(out, "    не считается {}: {}", off.from, off.why)?;
                } else {
                    writeln!(out, "    не считаются {}–{}: {}", off.from, off.to, off.why)?;
                }
            }
            for day in working_weekends {
                writeln!(out, "    считается {day}: рабочий выходной")?;
            }
            for day in worked {
                writeln!(out, "    {}: {}", day.day, hours(day.seconds))?;
            }
            Ok(())
        }
        StepLine::Rolled { roll, from, to, why } => {
            let side = if *roll == "previous" { "предшествующий" } else { "следующий" };
            writeln!(out, "  перенос: {} – нерабочий день ({why}), на {side} рабочий день → {}", when(from), when(to))
        }
        StepLine::NotRolled { at } => {
            writeln!(out, "  без переноса: рабочий день перед {} раньше начала отсчёта", when(at))
        }
        StepLine::Extended { at, amount: number, unit, date_unknown } => {
            let at = if *date_unknown {
                "дата решения источником не указана".to_owned()
            } else {
                when(at)
            };
            writeln!(out, "  продление на {}: {at}; срок пересчитан от начала", amount(*number, unit))
        }
        StepLine::NotExtended { at, is_late } => {
            let why = if *is_late {
                "решение принято после истечения срока"
            } else {
                "правило продления не допускает"
            };
            writeln!(out, "  продление {} не учтено: {why}", when(at))
        }
    }
}
