//! Reads the tokens of a text for names. From left to right: at each word, does a name begin here, and what does the
//! context say? Strong sequences (initials, a patronymic, a given name with a surname) need no context; a name or a
//! surname alone needs a word that introduces people. Words of places forbid a name: «улица Татьяны Снежиной».
//! Invariants: tokens of identifiers found elsewhere and placeholders are walls that nobody looks through; what is found
//! is ordered and apart.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::super::{MaskKind, MaskSpan};
use super::lexicon::{Facts, PersonLexicon};
use crate::text::{Letters, Shape, Side, StemId, Token, Words};

/// Words of one name at most: surname, given name, patronymic, «оглы».
const LONGEST: usize = 4;
/// Surnames of one text that are looked for a second time.
const REMEMBERED: usize = 8;

/// The detector of one worker; buffers are used again.
pub struct People {
    lexicon: Arc<PersonLexicon>,
    side: Side<NonZeroU32>,
    facts: Vec<Facts>,
    names: Vec<(u32, u32)>,
}

impl People {
    pub fn new(lexicon: Arc<PersonLexicon>) -> People {
        People { lexicon, side: Side::new(), facts: Vec::new(), names: Vec::new() }
    }

    /// Adds the names and handles of a text to `found`, which are in order but after what `taken` has. `taken` are the
    /// spans of other detectors, in order.
    pub fn find(&mut self, text: &str, words: &Words, tokens: &[Token], taken: &[MaskSpan], found: &mut Vec<MaskSpan>) {
        const WORTH: Facts = Facts::GIVEN
            .and(Facts::PATRONYMIC)
            .and(Facts::SURNAME)
            .and(Facts::WEAK_SURNAME)
            .and(Facts::LETTER)
            .and(Facts::INTRODUCES)
            .and(Facts::RESPECT)
            .and(Facts::NETWORK);
        let People { lexicon, side, facts, names } = self;
        facts.clear();
        names.clear();
        let mut all = Facts::NONE;
        let mut marked = false; // there may be a placeholder
        for token in tokens {
            let known = side.get(words, token.word, |form, _| lexicon.facts(form).kept());
            // No branch: which tokens are words is no pattern that a processor could foretell.
            let known = Facts::of_kept(known).only_if(token.shape == Shape::Word);
            marked |= token.first == 0xE2;
            all = all.and(known);
            facts.push(known);
        }
        if !all.any(WORTH) {
            return;
        }
        let mut reader = Reader { text, tokens, facts, words };
        if marked || !taken.is_empty() {
            reader.raise_walls(taken);
        }
        let mut at = 0;
        while at < tokens.len() {
            if !reader.may_begin(at) {
                at += 1;
                continue;
            }
            match reader.name_at(at) {
                Step::Name(start, end) => {
                    names.push((start as u32, end as u32));
                    at = end;
                }
                Step::Handle(start, end) => {
                    push(found, tokens, start, end, MaskKind::Profile);
                    at = end;
                }
                Step::Over(next) => at = next,
            }
        }
        if names.is_empty() {
            return;
        }
        let first = names.len();
        reader.surnames_again(names);
        if names.len() > first {
            names.sort_unstable();
        }
        for (start, end) in names.iter() {
            push(found, tokens, *start as usize, *end as usize, MaskKind::Name);
        }
        found.sort_unstable_by_key(|span| span.start);
    }
}

fn push(found: &mut Vec<MaskSpan>, tokens: &[Token], start: usize, end: usize, kind: MaskKind) {
    found.push(MaskSpan { start: tokens[start].start as usize, end: tokens[end - 1].end as usize, kind });
}

/// What was found at a token.
enum Step {
    Name(usize, usize),
    Handle(usize, usize),
    /// No name begins before this token.
    Over(usize),
}

struct Reader<'t> {
    text: &'t str,
    tokens: &'t [Token],
    facts: &'t mut [Facts],
    words: &'t Words,
}

impl Reader<'_> {
    /// Spans that are taken and placeholders become walls, and so do words glued to them: before masking they were one
    /// token with what was masked.
    fn raise_walls(&mut self, taken: &[MaskSpan]) {
        let mut spans = taken.iter().peekable();
        let mut placeholder_end = 0;
        for at in 0..self.tokens.len() {
            let token = &self.tokens[at];
            while spans.next_if(|span| span.end <= token.start as usize).is_some() {}
            let mut wall = spans.peek().is_some_and(|span| span.start < token.end as usize);
            if token.first == 0xE2 && token.shape == Shape::Punct {
                let rest = &self.text[token.start as usize..];
                if let Some(kind) = MaskKind::ALL.iter().find(|kind| rest.starts_with(kind.placeholder())) {
                    placeholder_end = token.start as usize + kind.placeholder().len();
                    self.wall_before(at);
                }
            }
            wall |= (token.start as usize) < placeholder_end;
            wall |= token.start as usize == placeholder_end && token.shape != Shape::Punct && at > 0;
            if wall {
                self.facts[at] = Facts::WALL;
            }
        }
    }

    fn wall_before(&mut self, at: usize) {
        if let Some(before) = at.checked_sub(1)
            && self.tokens[before].end == self.tokens[at].start
            && self.tokens[before].shape != Shape::Punct
        {
            self.facts[before] = Facts::WALL;
        }
    }

    fn is(&self, at: usize, facts: Facts) -> bool {
        self.facts.get(at).is_some_and(|known| known.any(facts))
    }

    /// A token of an identifier or of a placeholder: nobody looks through it.
    fn is_wall(&self, at: usize) -> bool {
        self.is(at, Facts::WALL)
    }

    fn is_capital(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| matches!(token.letters, Letters::Capital | Letters::Upper))
    }

    /// Nothing but blanks between two tokens, and not many.
    fn adjoins(&self, at: usize, next: usize) -> bool {
        match (self.tokens.get(at), self.tokens.get(next)) {
            (Some(left), Some(right)) => right.start - left.end <= 3,
            _ => false,
        }
    }

    /// A capital letter with its dot: the token after both.
    fn initial(&self, at: usize) -> Option<usize> {
        let token = self.tokens.get(at)?;
        let dot = self.tokens.get(at + 1)?;
        let is_one = self.is(at, Facts::LETTER) && token.letters == Letters::Capital;
        (is_one && dot.is(b'.') && dot.start - token.end <= 1).then_some(at + 2)
    }

    /// A word that can be a surname or a name by how it is written.
    fn is_name_like(&self, at: usize) -> bool {
        const NEVER: Facts = Facts::COMMON.and(Facts::FIRM).and(Facts::ROLE).and(Facts::KIN);
        let Some(token) = self.tokens.get(at) else { return false };
        let possible = token.shape == Shape::Word && self.is(at, Facts::RUSSIAN);
        possible
            && (self.is(at, Facts::GIVEN.and(Facts::PATRONYMIC)) || self.is_capital(at))
            && !self.is(at, NEVER)
            && (!self.is(at, Facts::PLACE.and(Facts::INSTITUTION)) || self.is(at, Facts::GIVEN))
    }

    /// Most words begin no name, which is told by one look: a name begins with a capital letter, or with a word that
    /// looks like a part of one.
    fn may_begin(&self, at: usize) -> bool {
        const PART: Facts =
            Facts::NETWORK.and(Facts::GIVEN).and(Facts::PATRONYMIC).and(Facts::SURNAME).and(Facts::LETTER);
        let facts = self.facts[at];
        let capital = matches!(self.tokens[at].letters, Letters::Capital | Letters::Upper);
        facts.any(PART) || capital && facts.any(Facts::RUSSIAN)
    }

    fn name_at(&self, at: usize) -> Step {
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
    fn initials_first(&self, at: usize) -> Option<Step> {
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
    fn initials_last(&self, at: usize) -> Option<Step> {
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
    fn bare_letter(&self, at: usize) -> Option<usize> {
        let token = self.tokens.get(at)?;
        let gap = token.start - self.tokens[at - 1].end;
        let one = self.is(at, Facts::LETTER) && token.letters == Letters::Capital && gap <= 1;
        let sure = gap == 0 || self.ends_a_phrase(at + 1) || !self.is(at, Facts::COMMON);
        (one && sure).then_some(at + 1)
    }

    /// «Иванов ИИ» at the end of a phrase.
    fn bare_initials(&self, at: usize) -> Option<Step> {
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
    fn spaced_letters(&self, at: usize) -> Option<Step> {
        let letter = |place: usize| self.is(place, Facts::LETTER) && self.is_capital(place);
        let apart = self.adjoins(at, at + 1) && self.adjoins(at + 1, at + 2);
        let fits = apart && self.is_capital(at) && self.is(at, Facts::SURNAME) && letter(at + 1) && letter(at + 2);
        fits.then(|| self.unless_guarded(at, at + 3, false))
    }

    /// The end of the text or line, or punctuation.
    fn ends_a_phrase(&self, at: usize) -> bool {
        let Some(token) = self.tokens.get(at) else { return true };
        matches!(token.shape, Shape::Punct | Shape::Break) && !self.is_wall(at)
    }

    fn begins_a_phrase(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return true };
        let token = &self.tokens[before];
        token.shape == Shape::Break || token.is(b'.') || token.is(b'!') || token.is(b'?') || self.is_wall(before)
    }

    /// The end of the name made of whole words that begins at a token.
    fn sequence(&self, at: usize) -> Option<usize> {
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
    fn disagree(&self, at: usize) -> bool {
        let (name, surname) = (self.words.form(self.tokens[at].word), self.words.form(self.tokens[at + 1].word));
        let of_a_woman = ["ова", "ева", "ина", "ына", "ской", "ского"].iter().any(|ending| surname.ends_with(ending));
        of_a_woman && !name.ends_with(['а', 'я', 'ь', 'и', 'ы'])
    }

    /// A word or two that only the context makes a name.
    fn alone(&self, at: usize, run: usize) -> Option<usize> {
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

    fn is_plain_given(&self, at: usize) -> bool {
        self.is(at, Facts::GIVEN) && !self.is(at, Facts::AMBIGUOUS)
    }

    /// «директор Вишневский», but not «директор Рязанской школы».
    fn is_nominative_adjective(&self, at: usize) -> bool {
        let form = self.words.form(self.tokens[at].word);
        ["ский", "цкий"].iter().any(|ending| form.ends_with(ending))
            && self.tokens.get(at + 1).is_none_or(|next| next.shape != Shape::Word || next.letters != Letters::Capital)
    }

    /// «Елена, добрый день!» at the beginning of a line, or a line that is a name and nothing else at the end.
    fn is_addressed(&self, at: usize) -> bool {
        let begins = at == 0 || self.tokens[at - 1].shape == Shape::Break;
        if !begins || self.is(at, Facts::AMBIGUOUS) && !self.is(at + 2, Facts::GREETS) {
            return false;
        }
        match self.tokens.get(at + 1) {
            None => at > 0,
            Some(next) => next.is(b',') || next.is(b'!'),
        }
    }

    fn said_before(&self, at: usize) -> Said {
        let Some(mut before) = at.checked_sub(1) else { return Said::Nothing };
        let (mut comma, mut colon, mut line) = (false, false, false);
        let mut steps = 0;
        loop {
            if self.is_wall(before) || steps > 4 {
                return Said::Nothing;
            }
            let token = &self.tokens[before];
            match token.shape {
                Shape::Word => break,
                Shape::Break => line = true,
                Shape::Punct => match token.first {
                    b',' => comma = true,
                    b':' | b'-' | b'.' | b'(' => colon = true,
                    b'!' => line = true,
                    0xE2 if matches!(token.of(self.text), "–" | "—") => colon = true,
                    _ => return Said::Nothing,
                },
                _ => return Said::Nothing,
            }
            steps += 1;
            let Some(next) = before.checked_sub(1) else { return Said::Nothing };
            before = next;
        }
        let dot = colon && self.tokens.get(before + 1).is_some_and(|token| token.is(b'.'));
        let is = |facts: Facts| self.is(before, facts);
        if is(Facts::RESPECT) {
            return Said::Signed;
        }
        if line {
            return Said::Nothing;
        }
        if is(Facts::OBJECT) && !comma && before > 0 && self.is(before - 1, Facts::INTRODUCES) {
            return Said::Introduced;
        }
        if is(Facts::INTRODUCES) && !comma {
            return Said::Introduced;
        }
        if is(Facts::ME) && !colon {
            return Said::Me;
        }
        if is(Facts::KIN) && !dot {
            return Said::Kin;
        }
        if is(Facts::ROLE) && !comma && (!dot || self.tokens[before].end - self.tokens[before].start <= 6) {
            return Said::Role { close: true };
        }
        if is(Facts::GREETS) && !dot {
            return Said::Greeted;
        }
        let plain = !comma && !colon && matches!(self.tokens[before].letters, Letters::Lower | Letters::Upper);
        let far = plain && is(Facts::RUSSIAN) && !is(Facts::PLACE.and(Facts::RANK));
        if far && before > 0 && self.is(before - 1, Facts::ROLE) && self.tokens[before - 1].shape == Shape::Word {
            return Said::Role { close: false };
        }
        Said::Nothing
    }

    /// A name, unless words around say that it is a place's or a firm's.
    fn unless_guarded(&self, start: usize, end: usize, one_initial: bool) -> Step {
        if self.is_of_a_place(start) || self.is_an_address(start, end, one_initial) {
            return Step::Over(end);
        }
        Step::Name(start, end)
    }

    /// «улица маршала», «ул. им.», «школа имени», «ООО «» before the name.
    fn is_of_a_place(&self, start: usize) -> bool {
        let mut quoted = false;
        let mut dotted = false;
        for before in (0..start).rev().take(6) {
            let token = &self.tokens[before];
            if self.is_wall(before) {
                return false;
            }
            match token.shape {
                Shape::Punct if token.is(b'.') => dotted = true,
                Shape::Punct if token.is(b'"') => quoted = true,
                Shape::Punct if token.first == 0xC2 || token.first == 0xE2 => match token.of(self.text) {
                    "«" | "“" | "„" => quoted = true,
                    _ => return false,
                },
                Shape::Word => {
                    if self.is(before, Facts::INSTITUTION) {
                        return before == 0 || !self.is(before - 1, Facts::ROLE);
                    }
                    if self.is(before, Facts::PLACE) && (dotted || !self.is(before, Facts::NEEDS_DOT)) {
                        return true;
                    }
                    if self.is(before, Facts::FIRM) && (quoted || !dotted && before + 1 == start) {
                        return true;
                    }
                    if !self.is(before, Facts::RANK) {
                        return false;
                    }
                    dotted = false;
                }
                _ => return false,
            }
        }
        false
    }

    /// «Татьяны Снежиной, 5», «на К. Маркса 12», «на Татьяны Снежиной».
    fn is_an_address(&self, start: usize, end: usize, one_initial: bool) -> bool {
        let whole = (start..end).any(|at| self.is(at, Facts::PATRONYMIC));
        let genitive = (start..end).any(|at| self.is(at, Facts::GENITIVE));
        if whole || !one_initial && !genitive {
            return false;
        }
        let on = start > 0 && self.is(start - 1, Facts::ON);
        let rank = start > 0 && self.is(start - 1, Facts::RANK) && !self.is(start - 1, Facts::ROLE);
        if rank || on && (one_initial || (start..end).any(|at| self.is(at, Facts::ONLY_GENITIVE))) {
            return true;
        }
        let mut next = end;
        if self.tokens.get(next).is_some_and(|token| token.is(b',')) {
            next += 1;
        }
        let Some(token) = self.tokens.get(next) else { return false };
        let short = match token.shape {
            Shape::Number => token.end - token.start <= 3,
            Shape::Mixed => token.end - token.start <= 6,
            _ => return self.is(next, Facts::HOUSE),
        };
        short && !self.is_wall(next) && !self.is(next + 1, Facts::AGE)
    }

    /// «тг: ivan_petrov»: a name in a network after the word for it.
    fn handle(&self, at: usize) -> Option<Step> {
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
    fn surnames_again(&self, names: &mut Vec<(u32, u32)>) {
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

/// What the words before say.
enum Said {
    Nothing,
    /// «меня зовут», «ФИО:».
    Introduced,
    /// «с уважением,».
    Signed,
    /// «я,».
    Me,
    Kin,
    Role {
        close: bool,
    },
    Greeted,
}
