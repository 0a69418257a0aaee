//! Which tokens one after another make a name. Strong sequences (initials, a patronymic, a given name with a surname) need no
//! context; a name or a surname alone needs a word that introduces people, which `around` looks for.

use super::around::Said;
use super::lexicon::Facts;
use super::reader::Reader;
use crate::text::{Letters, Shape, StemId};

/// Words of one name at most: surname, given name, patronymic, «оглы».
const LONGEST: usize = 4;
/// Surnames of one text that are looked for a second time.
const REMEMBERED: usize = 8;

/// What was found at a token.
pub(super) enum Step {
    Name(usize, usize),
    Handle(usize, usize),
    /// No name begins before this token.
    Over(usize),
}

impl Reader<'_> {
    /// A capital letter with its dot: the token after both.
    pub(super) fn initial(&self, at: usize) -> Option<usize> {
        let token = self.tokens.get(at)?;
        let dot = self.tokens.get(at + 1)?;
        let is_one = self.is(at, Facts::LETTER) && token.letters == Letters::Capital;
        (is_one && dot.is(b'.') && dot.start - token.end <= 1).then_some(at + 2)
    }

    pub(super) fn name_at(&self, at: usize) -> Step {
        let token = &self.tokens[at];
        if token.shape != Shape::Word {
            return Step::Over(at + 1);
        }
        if self.is(at, Facts::NETWORK)
            && let Some(handle) = self.handle(at)
        {
            return handle;
        }
        let initials = token.letters == Letters::Capital && self.is(at, Facts::LETTER);
        if initials {
            return self.initials_first(at).unwrap_or(Step::Over(at + 1));
        }
        let surname_below = self.is(at, Facts::SURNAME) && token.letters == Letters::Lower;
        if !self.is_name_like(at) && !surname_below {
            return Step::Over(at + 1);
        }
        if let Some(step) = self.initials_last(at) {
            return step;
        }
        match self.sequence(at) {
            Some(end) => self.unless_guarded(at, end, false),
            None => Step::Over(at + 1),
        }
    }

    /// И.И. Иванов, И. Иванов.
    pub(super) fn initials_first(&self, at: usize) -> Option<Step> {
        let mut next = self.initial(at)?;
        let mut count = 1;
        while count < 3
            && let Some(after) = self.initial(next)
            && self.adjoins(next - 1, next)
        {
            next = after;
            count += 1;
        }
        let token = self.tokens.get(next)?;
        let fits = token.shape == Shape::Word
            && self.is(next, Facts::RUSSIAN)
            && self.adjoins(next - 1, next)
            && !self.is(next, Facts::COMMON.and(Facts::ROLE).and(Facts::FIRM));
        let shaped = self.is(next, Facts::SURNAME);
        let sure = match count {
            1 => self.is_capital(next) && (shaped || self.is(next, Facts::WEAK_SURNAME)),
            _ => self.is_capital(next) || shaped,
        };
        // «Иванов А. Петров Б.»: the letter belongs to the word before it.
        (fits && sure).then(|| self.unless_guarded(at, next + 1, count == 1))
    }

    /// Иванов И.И., Иванов И. И, Иванов И.
    pub(super) fn initials_last(&self, at: usize) -> Option<Step> {
        if !self.is_capital(at) && !self.is(at, Facts::SURNAME) || !self.adjoins(at, at + 1) {
            return None;
        }
        let shaped = self.is(at, Facts::SURNAME.and(Facts::GIVEN));
        let Some(first) = self.initial(at + 1) else {
            return self.bare_initials(at).or_else(|| self.spaced_letters(at));
        };
        let second = match self.initial(first) {
            Some(after) if self.adjoins(first - 1, first) => Some(after),
            _ => self.bare_letter(first),
        };
        let end = second.unwrap_or(first);
        let capital = self.is_capital(at);
        let sure = if second.is_some() { capital || shaped } else { capital && shaped };
        // «Кирова И. Петров»: the letter begins the next name.
        let begins_next = self.is_name_like(end) && self.adjoins(end - 1, end);
        let of_the_next = begins_next && (second.is_none() || !shaped);
        (sure && !of_the_next).then(|| self.unless_guarded(at, end, second.is_none()))
    }

    /// The second letter of «Иванов И.И» without its dot: the token after it. After a space it must not be a word.
    pub(super) fn bare_letter(&self, at: usize) -> Option<usize> {
        let token = self.tokens.get(at)?;
        let gap = token.start - self.tokens[at - 1].end;
        let one = self.is(at, Facts::LETTER) && token.letters == Letters::Capital && gap <= 1;
        let sure = gap == 0 || self.ends_a_phrase(at + 1) || !self.is(at, Facts::COMMON);
        (one && sure).then_some(at + 1)
    }

    /// «Иванов ИИ» at the end of a phrase.
    pub(super) fn bare_initials(&self, at: usize) -> Option<Step> {
        let pair = self.tokens.get(at + 1)?;
        let two = pair.letters == Letters::Upper && pair.end - pair.start == 4 && pair.shape == Shape::Word;
        const NOT_INITIALS: [&str; 16] =
            ["УК", "АО", "ИП", "РФ", "ЖК", "ТЦ", "ДК", "СК", "ТК", "ГО", "МО", "РО", "ЦБ", "ЕР", "РЦ", "МЖ"];
        let fits = two
            && self.is(at, Facts::SURNAME)
            && self.is_capital(at)
            && !NOT_INITIALS.contains(&pair.of(self.text))
            && self.ends_a_phrase(at + 2);
        fits.then(|| self.unless_guarded(at, at + 2, false))
    }

    /// «Иванов И И».
    pub(super) fn spaced_letters(&self, at: usize) -> Option<Step> {
        let letter = |place: usize| self.is(place, Facts::LETTER) && self.is_capital(place);
        let apart = self.adjoins(at, at + 1) && self.adjoins(at + 1, at + 2);
        let fits = apart && self.is_capital(at) && self.is(at, Facts::SURNAME) && letter(at + 1) && letter(at + 2);
        fits.then(|| self.unless_guarded(at, at + 3, false))
    }

    /// The end of the name made of whole words that begins at a token.
    pub(super) fn sequence(&self, at: usize) -> Option<usize> {
        let mut run = 1;
        while run < LONGEST
            && self.adjoins(at + run - 1, at + run)
            && (self.is_name_like(at + run)
                || self.is(at + run, Facts::TAIL)
                || self.is(at + run, Facts::SURNAME) && !self.is(at + run, Facts::COMMON))
        {
            run += 1;
        }
        let second = run > 1;
        let capital = |place: usize| self.is_capital(at + place);
        let has = |place: usize, facts: Facts| place < run && self.is(at + place, facts);
        let shaped = |place: usize| has(place, Facts::SURNAME.and(Facts::WEAK_SURNAME));
        let given = |place: usize| has(place, Facts::GIVEN);
        let plain_given = |place: usize| given(place) && !has(place, Facts::AMBIGUOUS);
        let patronymic = |place: usize| has(place, Facts::PATRONYMIC);
        let tail = |end: usize| if has(end, Facts::TAIL) { at + end + 1 } else { at + end };
        // Иванов Иван Иванович
        if run >= 3 && patronymic(2) && !patronymic(1) && (capital(1) || given(1)) && (capital(0) || shaped(0)) {
            return Some(tail(3));
        }
        // Иван Иванович [Иванов]
        if run >= 2 && patronymic(1) && !patronymic(0) && (capital(0) || given(0)) {
            let follows = run >= 3 && !patronymic(2) && (capital(2) && !plain_given(2) || !capital(0) && shaped(2));
            return Some(if follows { at + 3 } else { tail(2) });
        }
        // Мамедов Али Гасан оглы, Мамедов Али оглы
        if has(3, Facts::TAIL) && capital(0) && capital(1) && capital(2) {
            return Some(at + 4);
        }
        if has(2, Facts::TAIL) && capital(0) && capital(1) {
            return Some(at + 3);
        }
        if second && capital(0) && capital(1) {
            let alike = self.tokens[at].letters == self.tokens[at + 1].letters;
            if given(0) && has(0, Facts::AMBIGUOUS) && self.disagree(at) {
                return None; // «Роман Булгакова» is a book
            }
            if given(0) && !patronymic(1) && (has(1, Facts::SURNAME) || alike && shaped(1)) {
                return Some(at + 2);
            }
            let weak_start = !has(0, Facts::SURNAME) && shaped(2);
            if shaped(0) && given(1) && !weak_start && (has(0, Facts::SURNAME) || !self.begins_a_phrase(at)) {
                return Some(at + 2);
            }
            if plain_given(0) && alike && self.tokens[at].letters == Letters::Capital && !has(1, Facts::TOWN) {
                return Some(at + 2);
            }
        }
        self.alone(at, run)
    }

    /// A man's name with a woman's surname.
    pub(super) fn disagree(&self, at: usize) -> bool {
        let (name, surname) = (self.words.form(self.tokens[at].word), self.words.form(self.tokens[at + 1].word));
        let of_a_woman = ["ова", "ева", "ина", "ына", "ской", "ского"].iter().any(|ending| surname.ends_with(ending));
        of_a_woman && !name.ends_with(['а', 'я', 'ь', 'и', 'ы'])
    }

    /// A word or two that only the context makes a name.
    pub(super) fn alone(&self, at: usize, run: usize) -> Option<usize> {
        let said = self.said_before(at);
        let capital = self.is_capital(at);
        let named = self.is(at, Facts::GIVEN.and(Facts::PATRONYMIC));
        let shaped = self.is(at, Facts::SURNAME);
        let of_a_town = self.is(at, Facts::TOWN);
        let two = run > 1
            && (self.is_capital(at + 1) || self.is(at, Facts::GIVEN) && self.is(at + 1, Facts::SURNAME))
            && !self.is(at + 1, Facts::COMMON);
        let end = if two { at + 2 } else { at + 1 };
        match said {
            Said::Introduced if named || shaped && capital => Some(end),
            Said::Introduced if capital && self.ends_a_phrase(end) => Some(end),
            Said::Signed if capital && (named || shaped || self.ends_a_phrase(end)) => Some(end),
            Said::Me if capital && (named || shaped) => Some(end),
            Said::Kin if capital && (named || shaped) && !of_a_town => Some(at + 1),
            Said::Role { .. } if of_a_town => None,
            Said::Role { close } if capital && shaped && (close || !self.is(at, Facts::GIVEN)) => Some(at + 1),
            Said::Role { .. } if capital && self.is(at, Facts::PATRONYMIC) => Some(at + 1),
            Said::Role { close: true } if capital && self.is_plain_given(at) => Some(at + 1),
            Said::Role { close: true } if capital && self.is_nominative_adjective(at) => Some(at + 1),
            Said::Greeted if capital && self.is(at, Facts::GIVEN) => Some(at + 1),
            _ if capital && self.is(at, Facts::GIVEN) && self.is_addressed(at) => Some(at + 1),
            _ => None,
        }
    }

    pub(super) fn is_plain_given(&self, at: usize) -> bool {
        self.is(at, Facts::GIVEN) && !self.is(at, Facts::AMBIGUOUS)
    }

    /// «директор Вишневский», but not «директор Рязанской школы».
    pub(super) fn is_nominative_adjective(&self, at: usize) -> bool {
        let form = self.words.form(self.tokens[at].word);
        ["ский", "цкий"].iter().any(|ending| form.ends_with(ending))
            && self.tokens.get(at + 1).is_none_or(|next| next.shape != Shape::Word || next.letters != Letters::Capital)
    }

    /// «тг: ivan_petrov»: a name in a network after the word for it.
    pub(super) fn handle(&self, at: usize) -> Option<Step> {
        let mut start = at + 1;
        let mut colon = false;
        while self.tokens.get(start).is_some_and(|token| token.is(b':') || token.is(b'-')) {
            colon |= self.tokens[start].is(b':');
            start += 1;
        }
        let first = self.tokens.get(start)?;
        if !first.first.is_ascii_alphabetic() || first.start - self.tokens[start - 1].end > 2 {
            return None;
        }
        let mut end = start;
        let mut odd = false;
        while let Some(token) = self.tokens.get(end) {
            let glued = end == start || token.start == self.tokens[end - 1].end;
            let part = match token.shape {
                Shape::Punct => token.is(b'_'),
                Shape::Word | Shape::Mixed | Shape::Number => token.of(self.text).is_ascii(),
                Shape::Break => false,
            };
            if !glued || !part || self.is_wall(end) {
                break;
            }
            odd |= token.shape != Shape::Word;
            end += 1;
        }
        let length = self.tokens[end.max(start + 1) - 1].end - first.start;
        let is_link = self.tokens.get(end).is_some_and(|token| token.is(b':') || token.is(b'.') || token.is(b'/'))
            && first.of(self.text).starts_with("http");
        (end > start && length >= 4 && (odd || colon) && !is_link).then_some(Step::Handle(start, end))
    }

    /// Surnames that were found once are masked wherever they stand alone.
    pub(super) fn surnames_again(&self, names: &mut Vec<(u32, u32)>) {
        let mut stems = [StemId::NONE; REMEMBERED];
        let mut count = 0;
        for (start, end) in names.iter() {
            for at in *start as usize..*end as usize {
                let token = &self.tokens[at];
                if count < REMEMBERED && self.is(at, Facts::SURNAME) && self.is_capital(at) {
                    stems[count] = self.words.stem(token.word);
                    count += 1;
                }
            }
        }
        if count == 0 {
            return;
        }
        let mut known = 0;
        let first = names.len();
        let mut at = 0;
        while at < self.tokens.len() {
            if known < first && names[known].0 as usize <= at {
                at = names[known].1 as usize;
                known += 1;
                continue;
            }
            let again = self.is(at, Facts::SURNAME)
                && self.is_capital(at)
                && !self.is(at, Facts::COMMON)
                && stems[..count].contains(&self.words.stem(self.tokens[at].word));
            if again && matches!(self.unless_guarded(at, at + 1, true), Step::Name(..)) {
                names.push((at as u32, at as u32 + 1));
            }
            at += 1;
        }
    }
}
