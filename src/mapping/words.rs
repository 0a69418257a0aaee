//! A source's words and what they mean, and the reading of single values.
//! Invariant: matching ignores surrounding and doubled white space and nothing else, because exports differ in those only.

use std::borrow::Cow;

use crate::codec::Value;

/// Source word → canonical word. A pipeline has a dozen of them, so a straight search is the fastest.
pub struct WordMap<T> {
    entries: Vec<(Box<str>, T)>,
}

impl<T: Copy> WordMap<T> {
    pub fn new<'w>(entries: impl IntoIterator<Item = (&'w str, T)>) -> WordMap<T> {
        let entries = entries.into_iter().map(|(word, meaning)| (Box::from(&*tidy(word)), meaning)).collect();
        WordMap { entries }
    }

    /// `word` must be tidy.
    pub fn get(&self, word: &str) -> Option<T> {
        self.entries.iter().find(|(entry, _)| **entry == *word).map(|(_, meaning)| *meaning)
    }
}

/// Trimmed, inner runs of white space folded into one blank. Borrows when nothing is to be done.
pub fn tidy(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    let bytes = trimmed.as_bytes();
    // No branch inside, so that it becomes vector instructions; 0xC2 begins a no-break space, and some other signs.
    let odd = bytes.iter().zip(bytes.iter().skip(1)).fold(0u8, |odd, (one, two)| {
        let blanks = u8::from(*one == b' ') & u8::from(*two == b' ');
        let breaks = u8::from(*one == b'\t') | u8::from(*one == b'\n') | u8::from(*one == b'\r');
        odd | blanks | breaks | (u8::from(*one == 0xC2) << 1)
    });
    if odd == 0 || odd == 2 && !trimmed.contains('\u{a0}') {
        return Cow::Borrowed(trimmed);
    }
    Cow::Owned(trimmed.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A single value as text; `Err` names what stood there instead.
pub fn as_text<'v>(value: &'v Value<'_>) -> Result<Cow<'v, str>, &'static str> {
    match value {
        Value::Missing | Value::Null => Ok(Cow::Borrowed("")),
        Value::Text(text) => Ok(tidy(text)),
        Value::Integer(number) => Ok(Cow::Owned(number.to_string())),
        Value::Real(number) => Ok(Cow::Owned(number.to_string())),
        Value::Bool(true) => Ok(Cow::Borrowed("true")),
        Value::Bool(false) => Ok(Cow::Borrowed("false")),
        Value::Instant(millis) => Ok(Cow::Owned(instant_text(*millis))),
        Value::Day(days) => Ok(Cow::Owned(day_text(*days))),
        Value::Composite(found) => Err(found),
    }
}

fn instant_text(millis: i64) -> String {
    chrono::DateTime::from_timestamp_millis(millis)
        .map_or_else(|| millis.to_string(), |at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
}

fn day_text(days: i32) -> String {
    chrono::NaiveDate::from_epoch_days(days).map_or_else(|| days.to_string(), |day| day.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_is_forgiven() {
        let map = WordMap::new([("На  модерации", 1), ("на модерации", 2)]);
        assert_eq!(map.get(&tidy(" На модерации\u{a0}")), Some(1));
        assert_eq!(map.get("НА МОДЕРАЦИИ"), None);
    }
}
