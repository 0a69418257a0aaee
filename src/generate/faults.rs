//! What goes wrong on the way: the kinds of broken records and how they look.
//! Owner: the simulation. Invariant: a broken record is one more delivery, sent just before the sound one of the same fact, so
//! breaking never changes what a case ends as.

use serde::{Deserialize, Serialize};

use super::dice::Dice;

/// Why a record cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokenKind {
    /// The JSON ends in the middle.
    TruncatedJson,
    /// Something else altogether: a proxy's error page, a line of CSV.
    NotJson,
    /// A byte that is no UTF-8 inside a text.
    InvalidUtf8,
    /// The number of the case is absent or «-».
    MissingCaseId,
    /// «32.13.2026».
    BadDate,
    /// A status or an event nobody has told the pipeline about.
    UnknownWord,
    /// A number or a list where a text is due.
    WrongType,
    /// No bytes at all.
    EmptyPayload,
}

impl BrokenKind {
    /// Every kind, in the order of the ledger.
    pub const ALL: &'static [BrokenKind] = &[
        BrokenKind::TruncatedJson,
        BrokenKind::NotJson,
        BrokenKind::InvalidUtf8,
        BrokenKind::MissingCaseId,
        BrokenKind::BadDate,
        BrokenKind::UnknownWord,
        BrokenKind::WrongType,
        BrokenKind::EmptyPayload,
    ];

    /// The name in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            BrokenKind::TruncatedJson => "truncated_json",
            BrokenKind::NotJson => "not_json",
            BrokenKind::InvalidUtf8 => "invalid_utf8",
            BrokenKind::MissingCaseId => "missing_case_id",
            BrokenKind::BadDate => "bad_date",
            BrokenKind::UnknownWord => "unknown_word",
            BrokenKind::WrongType => "wrong_type",
            BrokenKind::EmptyPayload => "empty_payload",
        }
    }
}

/// Damage that is done to the finished bytes; the kinds that change one field are done by the writers of the records.
pub(super) fn damage(kind: BrokenKind, payload: &mut Vec<u8>, dice: &mut Dice) {
    match kind {
        BrokenKind::TruncatedJson => truncate_between_characters(payload, dice),
        BrokenKind::NotJson => {
            payload.clear();
            payload.extend_from_slice(
                dice.word(&[
                    "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
                    "999000111;Медицина;Запись к врачу;06.01.2026;Завершено",
                    "ОШИБКА: нет соединения с базой данных",
                ])
                .as_bytes(),
            );
        }
        BrokenKind::InvalidUtf8 => spoil_the_last_text(payload),
        BrokenKind::EmptyPayload => payload.clear(),
        BrokenKind::MissingCaseId | BrokenKind::BadDate | BrokenKind::UnknownWord | BrokenKind::WrongType => {}
    }
}

/// Cuts between two characters, so that the record is bad JSON and not bad UTF-8.
fn truncate_between_characters(payload: &mut Vec<u8>, dice: &mut Dice) {
    let mut end = payload.len() / 4 + dice.below(payload.len() / 2);
    while payload.get(end).is_some_and(|byte| byte & 0xC0 == 0x80) {
        end -= 1;
    }
    payload.truncate(end);
}

/// Every record ends with a text: `…"}`. Its last byte becomes one that no UTF-8 has.
fn spoil_the_last_text(payload: &mut [u8]) {
    if let Some(position) = payload.len().checked_sub(3) {
        payload[position] = 0xFF;
    }
}
