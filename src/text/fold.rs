//! Folding: how words are compared. Lower case, `ё` as `е`, every hyphen as `-`, marks that are not seen left out.
//! Invariants: folding twice is folding once; `и` or `е` with a combining sign is the letter a keyboard gives.

/// Letters are equal when their folded forms are.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

/// Appends the folded text.
pub fn fold_into(text: &str, folded: &mut String) {
    for character in text.chars() {
        fold_char(character, folded);
    }
}

fn fold_char(character: char, folded: &mut String) {
    match character {
        'а'..='я' | 'a'..='z' | '0'..='9' | '-' | ' ' => folded.push(character),
        'А'..='Я' => folded.push(char::from_u32(character as u32 + 32).unwrap_or(character)),
        'A'..='Z' => folded.push(character.to_ascii_lowercase()),
        'ё' | 'Ё' => folded.push('е'),
        '\u{2010}' | '\u{2011}' => folded.push('-'),
        '\u{306}' if folded.ends_with('и') => {
            folded.pop();
            folded.push('й');
        }
        mark if is_unseen(mark) => {}
        other => {
            for lower in other.to_lowercase() {
                if !is_unseen(lower) {
                    folded.push(lower);
                }
            }
        }
    }
}

/// Stress marks, soft hyphens, joiners: they stand inside words and mean nothing to a reader of words.
pub fn is_unseen(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// A hyphen in any of its codes; dashes are not hyphens.
pub fn is_hyphen(character: char) -> bool {
    matches!(character, '-' | '\u{2010}' | '\u{2011}')
}
