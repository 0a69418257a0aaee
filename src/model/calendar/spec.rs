//! The calendar file and how it becomes a [`Calendar`]. Dates are `MM-DD` or `MM-DD..MM-DD` inside their year, times `HH:MM`.
//! Saturdays and Sundays are off unless a year names them as working.
//! Invariant: mistakes are collected; the number of working days stated in the file must come out, so a mistyped or
//! forgotten date cannot pass unnoticed.

use serde::Deserialize;

use super::{Calendar, CalendarStatus, DayShape, MoscowDay};

/// A short day ends this much earlier (ТК РФ ст. 95).
const SHORTER_BY_SECONDS: u32 = 3600;
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const ALLOWED_YEARS: std::ops::RangeInclusive<u16> = 2000..=2100;

/// One calendar file.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarSpec {
    /// The name policies refer to.
    pub name: String,
    pub office: OfficeSpec,
    #[serde(rename = "year")]
    pub years: Vec<YearSpec>,
}

/// Office hours by day of the week. Saturday and Sunday hours hold when a year makes such a day a working one.
#[derive(Clone, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficeSpec {
    pub monday: Option<HoursSpec>,
    pub tuesday: Option<HoursSpec>,
    pub wednesday: Option<HoursSpec>,
    pub thursday: Option<HoursSpec>,
    pub friday: Option<HoursSpec>,
    pub saturday: Option<HoursSpec>,
    pub sunday: Option<HoursSpec>,
}

/// `hours = "09:00-18:00", lunch = "13:00-13:48"`, Moscow time.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursSpec {
    pub hours: String,
    /// Time inside the hours that does not count.
    pub lunch: Option<String>,
}

/// One year.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YearSpec {
    pub year: u16,
    /// `final` or `provisional`.
    pub status: String,
    /// The decree, for people.
    pub source: String,
    /// Control sum: how many working days the year has.
    pub working_days: u16,
    /// Holidays and days off by transfer; weekends may be among them and need not.
    pub days_off: Vec<String>,
    /// Saturdays and Sundays that are worked.
    #[serde(default)]
    pub working_weekends: Vec<String>,
    /// Working days that end an hour earlier.
    #[serde(default)]
    pub short_days: Vec<String>,
}

/// A day as the lists of its year make it.
#[derive(Clone, Copy, Default)]
struct Marks {
    off: bool,
    worked: bool,
    short: bool,
}

pub(super) fn build(spec: &CalendarSpec) -> Result<Calendar, Vec<String>> {
    let mut mistakes = Vec::new();
    if spec.name.trim().is_empty() {
        mistakes.push("name: empty (allowed: the name policies use, e.g. \"russia\")".to_owned());
    }
    let hours = office_hours(&spec.office, &mut mistakes);
    let mut years: Vec<&YearSpec> = spec.years.iter().collect();
    years.sort_by_key(|year| year.year);
    check_the_row_of_years(&years, &mut mistakes);
    let mut calendar = Calendar {
        name: spec.name.clone(),
        years: Vec::new(),
        first_day: 0,
        shapes: vec![DayShape::default()],
        shape_of_day: Vec::new(),
        seconds_before: vec![0],
        days_before: vec![0],
        working_days: Vec::new(),
    };
    for (position, year) in years.iter().enumerate() {
        let Some((first, marks, status)) = read_year(year, &mut mistakes) else {
            continue;
        };
        if position == 0 {
            calendar.first_day = first.0;
        }
        calendar.years.push((year.year, status));
        lay_out(&mut calendar, year, first, &marks, &hours, &mut mistakes);
    }
    if mistakes.is_empty() { Ok(calendar) } else { Err(mistakes) }
}

fn check_the_row_of_years(years: &[&YearSpec], mistakes: &mut Vec<String>) {
    if years.is_empty() {
        mistakes.push("year: missing (allowed: one [[year]] or more, without holes)".to_owned());
    }
    for pair in years.windows(2) {
        let (year, next) = (pair[0].year, pair[1].year);
        if next == year {
            mistakes.push(format!("year {year}: stands twice (allowed: each year once)"));
        } else if next != year.saturating_add(1) {
            mistakes.push(format!("year {next}: does not follow {year} (allowed: years without holes)"));
        }
    }
}

/// Appends the days of one year to the tables.
fn lay_out(
    calendar: &mut Calendar,
    year: &YearSpec,
    first: MoscowDay,
    marks: &[Marks],
    hours: &[Option<DayShape>; 7],
    mistakes: &mut Vec<String>,
) {
    let mut seconds = calendar.seconds_before.last().copied().unwrap_or(0);
    let worked_before = calendar.working_days.len();
    let mut without_hours = [false; 7];
    for (offset, marks) in marks.iter().enumerate() {
        let day = MoscowDay(first.0 + offset as u32);
        let mut shape = DayShape::default();
        if is_worked(day, *marks) {
            calendar.working_days.push(day);
            match hours[day.weekday()] {
                Some(hours) => shape = hours,
                None => without_hours[day.weekday()] = true,
            }
            if marks.short && shape != DayShape::default() {
                shape = shortened(shape);
            }
        }
        let known = calendar.shapes.iter().position(|known| *known == shape).unwrap_or_else(|| {
            calendar.shapes.push(shape);
            calendar.shapes.len() - 1
        });
        seconds += shape.working_seconds();
        // At most 15 kinds: seven weekdays, plain and short, and the day off.
        calendar.shape_of_day.push(known as u8);
        calendar.seconds_before.push(seconds);
        calendar.days_before.push(calendar.working_days.len() as u32);
    }
    for (weekday, _) in without_hours.iter().enumerate().filter(|(_, missing)| **missing) {
        let name = WEEKDAYS[weekday];
        mistakes.push(format!(
            "office.{name}: missing, but {} has working days of that kind (allowed: {name} = {{ hours = \"09:00-18:00\" }})",
            year.year
        ));
    }
    let worked = calendar.working_days.len() - worked_before;
    if worked != usize::from(year.working_days) {
        mistakes.push(format!(
            "year {}.working_days: {} is stated, the lists give {worked} (allowed: the sum of the production calendar; check days_off and working_weekends)",
            year.year, year.working_days
        ));
    }
}

fn is_weekend(day: MoscowDay) -> bool {
    day.weekday() >= 5
}

fn is_worked(day: MoscowDay, marks: Marks) -> bool {
    !marks.off && (marks.worked || !is_weekend(day))
}

fn shortened(shape: DayShape) -> DayShape {
    let closes = shape.closes - SHORTER_BY_SECONDS;
    DayShape { closes, lunch_from: shape.lunch_from.min(closes), lunch_to: shape.lunch_to.min(closes), ..shape }
}

/// The first day of a year, the marks of its days and its status; `None` when the year itself is out of range.
fn read_year(year: &YearSpec, mistakes: &mut Vec<String>) -> Option<(MoscowDay, Vec<Marks>, CalendarStatus)> {
    let key = format!("year {}", year.year);
    if !ALLOWED_YEARS.contains(&year.year) {
        mistakes.push(format!("{key}: out of range (allowed: {} to {})", ALLOWED_YEARS.start(), ALLOWED_YEARS.end()));
        return None;
    }
    let status = CalendarStatus::from_name(&year.status).unwrap_or_else(|| {
        mistakes.push(format!("{key}.status: \"{}\" (allowed: final, provisional)", year.status));
        CalendarStatus::Provisional
    });
    if year.source.trim().is_empty() {
        mistakes.push(format!("{key}.source: empty (allowed: the decree or law the dates come from)"));
    }
    let first = MoscowDay::from_date(i32::from(year.year), 1, 1)?;
    let last = MoscowDay::from_date(i32::from(year.year), 12, 31)?;
    let mut marks = vec![Marks::default(); (last.0 - first.0 + 1) as usize];

    for (from, to, _) in dates(year, &key, "days_off", &year.days_off, mistakes) {
        for marks in &mut marks[(from.0 - first.0) as usize..=(to.0 - first.0) as usize] {
            marks.off = true;
        }
    }
    for (from, to, text) in dates(year, &key, "working_weekends", &year.working_weekends, mistakes) {
        for day in from.0..=to.0 {
            let marks = &mut marks[(day - first.0) as usize];
            if marks.off {
                mistakes.push(format!("{key}.working_weekends: \"{text}\" is in days_off too (allowed: one of them)"));
            } else if !is_weekend(MoscowDay(day)) {
                mistakes
                    .push(format!("{key}.working_weekends: \"{text}\" is a weekday (allowed: Saturdays and Sundays)"));
            }
            marks.worked = true;
        }
    }
    for (from, to, text) in dates(year, &key, "short_days", &year.short_days, mistakes) {
        for day in from.0..=to.0 {
            let marks = &mut marks[(day - first.0) as usize];
            if !is_worked(MoscowDay(day), *marks) {
                mistakes.push(format!("{key}.short_days: \"{text}\" is a day off (allowed: working days)"));
            }
            marks.short = true;
        }
    }
    Some((first, marks, status))
}

/// The readable dates of a list; the others become mistakes.
fn dates<'s>(
    year: &YearSpec,
    key: &str,
    list: &str,
    texts: &'s [String],
    mistakes: &mut Vec<String>,
) -> Vec<(MoscowDay, MoscowDay, &'s str)> {
    let mut read = Vec::with_capacity(texts.len());
    for text in texts {
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        match (date_of(year.year, from), date_of(year.year, to)) {
            (Some(from), Some(to)) if from <= to => read.push((from, to, text.as_str())),
            _ => mistakes.push(format!(
                "{key}.{list}: \"{text}\" is no date of that year (allowed: \"MM-DD\" or \"MM-DD..MM-DD\", first day first)"
            )),
        }
    }
    read
}

fn date_of(year: u16, text: &str) -> Option<MoscowDay> {
    let (month, day) = text.split_once('-')?;
    MoscowDay::from_date(i32::from(year), two_digits(month)?, two_digits(day)?)
}

fn two_digits(text: &str) -> Option<u32> {
    (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn office_hours(office: &OfficeSpec, mistakes: &mut Vec<String>) -> [Option<DayShape>; 7] {
    let days = [
        &office.monday,
        &office.tuesday,
        &office.wednesday,
        &office.thursday,
        &office.friday,
        &office.saturday,
        &office.sunday,
    ];
    let mut shapes = [None; 7];
    for ((shape, hours), name) in shapes.iter_mut().zip(days).zip(WEEKDAYS) {
        if let Some(hours) = hours {
            // Broken hours are reported already; the calendar will not be used, so any shape lets the check go on.
            *shape = Some(day_shape(hours, name, mistakes).unwrap_or_default());
        }
    }
    shapes
}

fn day_shape(spec: &HoursSpec, weekday: &str, mistakes: &mut Vec<String>) -> Option<DayShape> {
    let Some((opens, closes)) = time_range(&spec.hours) else {
        mistakes.push(format!(
            "office.{weekday}.hours: \"{}\" (allowed: \"HH:MM-HH:MM\", opening before closing)",
            spec.hours
        ));
        return None;
    };
    let (lunch_from, lunch_to) = match &spec.lunch {
        None => (closes, closes),
        Some(lunch) => match time_range(lunch) {
            Some((from, to)) if opens <= from && to <= closes => (from, to),
            _ => {
                mistakes.push(format!(
                    "office.{weekday}.lunch: \"{lunch}\" (allowed: \"HH:MM-HH:MM\" inside the hours {})",
                    spec.hours
                ));
                return None;
            }
        },
    };
    let shape = DayShape { opens, lunch_from, lunch_to, closes };
    let last_stretch = if lunch_to < closes { closes - lunch_to } else { lunch_from - opens };
    if last_stretch <= SHORTER_BY_SECONDS {
        mistakes.push(format!(
            "office.{weekday}.hours: a short day would have nothing left after {} (allowed: more than an hour before closing)",
            if lunch_to < closes { "lunch" } else { "opening" }
        ));
        return None;
    }
    Some(shape)
}

/// `HH:MM-HH:MM` in seconds after midnight, the first before the second.
fn time_range(text: &str) -> Option<(u32, u32)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (time_of_day(from.trim())?, time_of_day(to.trim())?);
    (from < to).then_some((from, to))
}

fn time_of_day(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (two_digits(hour)?, two_digits(minute)?);
    (hour < 24 && minute < 60).then_some(hour * 3600 + minute * 60)
}
