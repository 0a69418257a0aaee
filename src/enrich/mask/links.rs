//! E-mail addresses, profile links, mentions and handles: everything known by `@`, `/` or `[`.
//! Links to posts of communities stay (they have a minus before the owner: `vk.com/wall-1_2`), links to people do not.
//! Invariant: looking back stops at the last match; looking ahead takes a bounded number of bytes, so a hostile text
//! costs linear time.

use super::context::{is_letter, is_letter_or_digit};
use super::{MaskKind, MaskSpan, Verdict, View, mask_span};

/// Characters of a local part that are looked at (RFC 5321 allows 64).
const LOCAL_CHARACTERS: usize = 64;
/// Bytes of a domain that are looked at (RFC 1035 allows 255).
const DOMAIN_BYTES: usize = 255;
/// Bytes a host name can have here, with subdomains.
const HOST_BYTES: usize = 48;
/// Bytes of a path that are taken as part of a link.
const PATH_BYTES: usize = 512;
/// Bytes within which a mention must be closed.
const MENTION_BYTES: usize = 256;

/// What a path must look like to lead to a person.
enum Paths {
    Any,
    /// Only below these beginnings.
    Under(&'static [&'static str]),
    /// Any but these beginnings.
    Except(&'static [&'static str]),
}

/// Networks in use in Russia; subdomains (`m.vk.com`) count.
const HOSTS: [(&str, Paths); 22] = [
    ("vk.com", Paths::Any),
    ("vk.ru", Paths::Any),
    ("vkontakte.ru", Paths::Any),
    ("ok.ru", Paths::Except(&["group/", "video/", "live/"])),
    ("odnoklassniki.ru", Paths::Except(&["group/", "video/", "live/"])),
    ("t.me", Paths::Any),
    ("telegram.me", Paths::Any),
    ("instagram.com", Paths::Any),
    ("instagr.am", Paths::Any),
    ("facebook.com", Paths::Any),
    ("fb.com", Paths::Any),
    ("twitter.com", Paths::Any),
    ("x.com", Paths::Any),
    ("tiktok.com", Paths::Any),
    ("threads.net", Paths::Any),
    ("wa.me", Paths::Any),
    ("max.ru", Paths::Any),
    ("my.mail.ru", Paths::Any),
    ("linkedin.com", Paths::Under(&["in/"])),
    ("youtube.com", Paths::Under(&["@", "user/", "c/", "channel/"])),
    ("rutube.ru", Paths::Under(&["u/", "channel/"])),
    ("dzen.ru", Paths::Under(&["id/", "user/", "profile/"])),
];

/// Called for `@`: an address, `@handle`, or `@id1 (Имя)`.
pub fn at_sign(view: &View<'_>, at: usize) -> Verdict {
    if let Some((start, end)) = email(view, at) {
        return mask_span(start, end, MaskKind::Email);
    }
    match handle(view, at) {
        Some(end) => mask_span(at, end, MaskKind::Profile),
        None => Verdict::Skip(at + 1),
    }
}

fn is_local(character: char) -> bool {
    is_letter_or_digit(character) || matches!(character, '.' | '_' | '%' | '+' | '-')
}

/// Start and end of the address around the `@` at `at`.
fn email(view: &View<'_>, at: usize) -> Option<(usize, usize)> {
    let mut start = at;
    for (index, character) in view.text[view.done..at].char_indices().rev().take(LOCAL_CHARACTERS) {
        if !is_local(character) {
            break;
        }
        // Punctuation belongs to the sentence unless a letter stands before it.
        if is_letter_or_digit(character) {
            start = view.done + index;
        }
    }
    let end = domain_end(view, at + 1)?;
    (start < at).then_some((start, end))
}

/// End of a domain of two labels or more whose last is at least two letters (`почта.рф` and `xn--p1ai` included).
fn domain_end(view: &View<'_>, start: usize) -> Option<usize> {
    let mut found: Option<(usize, bool)> = None;
    let mut label_start = start;
    loop {
        let label = view.text[label_start..]
            .char_indices()
            .take_while(|(_, character)| is_letter_or_digit(*character) || *character == '-')
            .map(|(index, character)| index + character.len_utf8())
            .last()
            .map_or("", |length| &view.text[label_start..label_start + length]);
        if label.is_empty() || label_start + label.len() - start > DOMAIN_BYTES {
            break;
        }
        if label_start > start {
            let letters: usize = label.chars().take_while(|character| is_letter(*character)).map(char::len_utf8).sum();
            let latin = label.is_ascii();
            // «ivan@mail.ru.Спасибо»: a missing space, not a domain.
            if found.is_some_and(|(_, before)| before != latin) {
                break;
            }
            if label.starts_with("xn--") {
                found = Some((label_start + label.len(), latin));
            } else if label[..letters].chars().nth(1).is_some() {
                found = Some((label_start + letters, latin));
            }
        }
        label_start += label.len();
        if view.byte(label_start) != Some(b'.') {
            break;
        }
        label_start += 1;
    }
    found.map(|(end, _)| end)
}

/// The address whose local part starts with the unbroken digits `[start, end)`, if there is one.
pub fn email_that_starts_with(view: &View<'_>, start: usize, end: usize) -> Option<(usize, usize)> {
    if !view.bytes[start..end].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let rest = &view.text[end..];
    let (offset, character) =
        rest.char_indices().take(LOCAL_CHARACTERS).find(|(_, character)| !is_local(*character))?;
    if character != '@' {
        return None;
    }
    email(view, end + offset).filter(|(mail_start, _)| *mail_start <= start)
}

/// End of a handle of three to 32 characters; what hangs on it (`@name/posts`, `@id1 (Имя)`) goes with it.
fn handle(view: &View<'_>, at: usize) -> Option<usize> {
    if view.before(at).is_some_and(|before| is_letter_or_digit(before) || before == '_') {
        return None;
    }
    let name = &view.bytes[at + 1..];
    if !name.first().is_some_and(u8::is_ascii_alphabetic) {
        return None;
    }
    let length =
        name.iter().take(32).take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')).count();
    let trimmed = name[..length].iter().rposition(|byte| *byte != b'.').map_or(0, |last| last + 1);
    if trimmed < 3 {
        return None;
    }
    let end = at + 1 + trimmed;
    if view.byte(end) == Some(b'/') {
        return Some(path_end(view, end));
    }
    Some(if is_page_id(&name[..trimmed]) { named_end(view, end) } else { end })
}

/// `id123`, `club123`, `public123`, `event123`.
fn is_page_id(name: &[u8]) -> bool {
    ["id", "club", "public", "event"].iter().any(|kind| {
        name.strip_prefix(kind.as_bytes())
            .is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
    })
}

/// End of ` (Имя Фамилия)` after a mention, or `end` when nothing is there.
fn named_end(view: &View<'_>, end: usize) -> usize {
    let rest = &view.text[end..];
    let Some(inside) = rest.strip_prefix(" (").or_else(|| rest.strip_prefix('(')) else {
        return end;
    };
    let opened = rest.len() - inside.len();
    let close = inside.bytes().take(MENTION_BYTES).position(|byte| matches!(byte, b')' | b'\n'));
    match close {
        Some(close) if inside.as_bytes()[close] == b')' => end + opened + close + 1,
        _ => end,
    }
}

/// Called for a digit: the old mention `*id123 (Имя)`.
pub fn old_mention(view: &View<'_>, at: usize) -> Option<Verdict> {
    let before = &view.bytes[view.done..at];
    let star = before.strip_suffix(b"*id").or_else(|| before.strip_suffix(b"*club"))?.len() + view.done;
    let length = view.bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some(mask_span(star, named_end(view, at + length), MaskKind::Profile))
}

/// Called for `[`: the mention of VK, `[id123|Имя]`, `[club1:bp-1_2|Имя]`. A cut one is masked as far as it goes.
pub fn bracket(view: &View<'_>, at: usize) -> Verdict {
    let inside = &view.bytes[at + 1..];
    let length = inside
        .iter()
        .take(48)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_'))
        .count();
    let (name, rest) = inside.split_at(length);
    let page = name.split(|byte| *byte == b':').next().unwrap_or_default();
    if !is_page_id(page) || rest.first() != Some(&b'|') {
        return Verdict::Skip(at + 1);
    }
    let close = rest.iter().take(MENTION_BYTES).position(|byte| matches!(byte, b']' | b'\n'));
    let mut end = at + 1 + length;
    match close {
        Some(close) if rest[close] == b']' => end += close + 1,
        Some(line_end) => end += line_end,
        None => end += rest.len().min(MENTION_BYTES),
    }
    while !view.text.is_char_boundary(end) {
        end -= 1;
    }
    mask_span(at, end, MaskKind::Profile)
}

/// Called for `/`: a link, when a known host stands before it and a path to a person after it.
pub fn slash(view: &View<'_>, at: usize) -> Verdict {
    match profile_link(view, at) {
        Some(span) => Verdict::Mask(span),
        None => Verdict::Skip(at + 1),
    }
}

fn profile_link(view: &View<'_>, at: usize) -> Option<MaskSpan> {
    let before = &view.bytes[view.done..at];
    let host_length = before
        .iter()
        .rev()
        .take(HOST_BYTES)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        .count();
    let stop = before[before.len() - host_length..].iter().take_while(|byte| b".-".contains(byte)).count();
    let host_length = host_length - stop; // «Иванов И.vk.com/ivan»: the stop belongs to the sentence
    let (front, host) = before.split_at(before.len() - host_length);
    let (_, paths) = HOSTS.iter().find(|(known, _)| is_host(host, known.as_bytes()))?;
    let path = &view.bytes[at + 1..];
    let starts = |beginning: &&str| starts_with(path, beginning.as_bytes());
    let leads_to_a_person = match paths {
        Paths::Any => !is_community_post(path),
        Paths::Under(beginnings) => beginnings.iter().any(starts),
        Paths::Except(beginnings) => !beginnings.iter().any(starts),
    };
    let end = path_end(view, at);
    if !leads_to_a_person || end <= at + 1 {
        return None;
    }
    let scheme = ["https://", "http://"].iter().find(|scheme| ends_with(front, scheme.as_bytes()));
    let start = at - host_length - scheme.map_or(0, |scheme| scheme.len());
    Some(MaskSpan { start, end, kind: MaskKind::Profile })
}

/// `known` itself or a subdomain of it, in any letter case.
fn is_host(host: &[u8], known: &[u8]) -> bool {
    ends_with(host, known) && (host.len() == known.len() || host[host.len() - known.len() - 1] == b'.')
}

fn ends_with(text: &[u8], end: &[u8]) -> bool {
    text.len() >= end.len() && text[text.len() - end.len()..].eq_ignore_ascii_case(end)
}

fn starts_with(text: &[u8], beginning: &[u8]) -> bool {
    text.len() >= beginning.len() && text[..beginning.len()].eq_ignore_ascii_case(beginning)
}

/// `wall-123_456` and the like, alone or with `?reply=…`: owner with a minus is a community.
fn is_community_post(path: &[u8]) -> bool {
    let kind = path.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    let Some(rest) = path[kind..].strip_prefix(b"-") else {
        return false;
    };
    let known =
        [&b"wall"[..], b"photo", b"video", b"clip", b"topic", b"album", b"doc", b"market"].contains(&&path[..kind]);
    let number = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'_').count();
    let after = rest.get(number).copied().unwrap_or(b' ');
    let reply =
        rest[number..].strip_prefix(b"?reply=").is_some_and(|reply| reply.first().is_some_and(u8::is_ascii_digit));
    known && number > 0 && (reply || !is_path(after))
}

/// Bytes of a link; quotes, brackets, the comma and everything beyond ASCII end it.
fn is_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-_.~%?=&+#@:!$*;".contains(&byte)
}

/// End of the path that starts at the `/` at `at`, without the punctuation of the sentence around it.
fn path_end(view: &View<'_>, at: usize) -> usize {
    let path = &view.bytes[at..];
    let length = path.iter().take(PATH_BYTES).take_while(|byte| is_path(**byte)).count();
    let trimmed = path[..length].iter().rposition(|byte| !b".:;!?".contains(byte)).map_or(0, |last| last + 1);
    at + trimmed
}
