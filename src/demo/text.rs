//! Numbers, times and plurals the way Russian readers expect them.
//! Owner: the picture and the plain lines of the demo. Invariant: pure; nothing here knows a locale of the machine.

use chrono::{DateTime, NaiveDateTime};

use crate::model::time::MOSCOW_OFFSET_SECONDS;

/// Forms of a noun after 1, 2 and 5.
pub type Forms = [&'static str; 3];

pub const RECORDS: Forms = ["запись", "записи", "записей"];
pub const ROWS: Forms = ["строка", "строки", "строк"];
pub const SECONDS: Forms = ["секунду", "секунды", "секунд"];
pub const MINUTES: Forms = ["минуту", "минуты", "минут"];
pub const HOURS: Forms = ["час", "часа", "часов"];
pub const DAYS: Forms = ["день", "дня", "дней"];

/// The form of the noun that follows the number.
pub fn plural(number: u64, forms: Forms) -> &'static str {
    match (number % 10, number % 100) {
        (_, 11..=14) => forms[2],
        (1, _) => forms[0],
        (2..=4, _) => forms[1],
        _ => forms[2],
    }
}

/// «61 234 записи».
pub fn counted(number: u64, forms: Forms) -> String {
    format!("{} {}", grouped(number), plural(number, forms))
}

/// «61 234»: groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// «0,4»: one digit behind a decimal comma.
pub fn decimal(number: f64) -> String {
    format!("{number:.1}").replace('.', ",")
}

/// «62,5 %», or a dash where nothing was counted.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "–".to_owned() } else { format!("{} %", decimal(part as f64 * 100.0 / whole as f64)) }
}

/// How long ago, in the largest unit that says something: «12 секунд», «3 часа».
pub fn ago(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    match whole {
        0..120 => counted(whole, SECONDS),
        120..7200 => counted(whole / 60, MINUTES),
        7200..172_800 => counted(whole / 3600, HOURS),
        _ => counted(whole / 86_400, DAYS),
    }
}

/// «85 МБ».
pub fn megabytes(bytes: u64) -> String {
    format!("{} МБ", grouped(bytes / 1_000_000))
}

fn moscow(unix_millis: i64) -> NaiveDateTime {
    let seconds = unix_millis.div_euclid(1000) + i64::from(MOSCOW_OFFSET_SECONDS);
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().naive_utc()
}

/// «14.06.2026 21:15:03», Moscow time.
pub fn date_time(unix_millis: i64) -> String {
    moscow(unix_millis).format("%d.%m.%Y %H:%M:%S").to_string()
}

/// «21:15:03», Moscow time.
pub fn clock(unix_millis: i64) -> String {
    moscow(unix_millis).format("%H:%M:%S").to_string()
}

/// At most `width` letters, the last of a longer text is «…».
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(width.saturating_sub(1)).collect();
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_follow_their_numbers() {
        let of = |number| plural(number, RECORDS);
        assert_eq!([of(1), of(21), of(101), of(1_001)], ["запись"; 4]);
        assert_eq!([of(2), of(3), of(24), of(61_234)], ["записи"; 4]);
        assert_eq!([of(0), of(5), of(11), of(12), of(14), of(111), of(1_013), of(30)], ["записей"; 8]);
        assert_eq!(counted(61_234, ROWS), "61 234 строки");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1 000");
        assert_eq!(grouped(1_234_567), "1 234 567");
    }

    #[test]
    fn decimals_have_a_comma() {
        assert_eq!(decimal(0.44), "0,4");
        assert_eq!(decimal(12.0), "12,0");
        assert_eq!(percent(5, 8), "62,5 %");
        assert_eq!(percent(0, 0), "–");
        assert_eq!(megabytes(1_085_400_000), "1 085 МБ");
    }

    #[test]
    fn time_is_moscow_time() {
        assert_eq!(date_time(1_767_646_799_000), "05.01.2026 23:59:59"); // 2026-01-05T20:59:59Z
        assert_eq!(clock(1_767_646_800_000), "00:00:00");
        assert_eq!(ago(1.9), "1 секунду");
        assert_eq!(ago(150.0), "2 минуты");
        assert_eq!(ago(3.0 * 86_400.0), "3 дня");
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(cut("Дороги", 6), "Дороги");
        assert_eq!(cut("Благоустройство", 6), "Благо…");
    }
}
