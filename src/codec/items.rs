//! A record that carries several items: a JSON array of them, or one JSON text a line. Only the borders are found here;
//! each item is decoded by itself, so a broken one costs itself alone.
//! Invariants: no item is decoded here and nothing is copied; a record has at most `limit` items; an array whose borders
//! cannot be told is broken as a whole, because nobody knows where its items begin.

use std::ops::Range;

use crate::codec::DecodeError;

/// As deep as the JSON parser itself goes.
const MAX_DEPTH: u32 = 127;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Finds the elements of an array. A record that is no array is one item, whatever it is.
pub fn of_array(payload: &[u8], limit: usize, items: &mut Vec<Range<usize>>) -> Result<(), DecodeError> {
    items.clear();
    let mut at = skip_blank(payload, if payload.starts_with(BOM) { BOM.len() } else { 0 });
    if payload.get(at) != Some(&b'[') {
        items.push(0..payload.len());
        return Ok(());
    }
    at = skip_blank(payload, at + 1);
    if payload.get(at) == Some(&b']') {
        return after_the_array(payload, at + 1);
    }
    let mut start = at;
    // one bit for each open bracket: braces are ones
    let (mut open, mut depth) = (0u128, 0u32);
    while let Some(byte) = payload.get(at) {
        match byte {
            b'"' => {
                at = end_of_text(payload, at + 1).ok_or_else(|| broken("a text is not closed"))?;
                continue;
            }
            b'{' | b'[' if depth == MAX_DEPTH => return Err(broken("it is nested too deep")),
            b'{' | b'[' => {
                open = open << 1 | u128::from(*byte == b'{');
                depth += 1;
            }
            b'}' | b']' if depth > 0 => {
                if (open & 1 == 1) != (*byte == b'}') {
                    return Err(broken("its brackets do not match"));
                }
                open >>= 1;
                depth -= 1;
            }
            b'}' => return Err(broken("its brackets do not match")),
            b',' | b']' if depth == 0 => {
                push(payload, start..at, limit, items)?;
                if *byte == b']' {
                    return after_the_array(payload, at + 1);
                }
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    Err(broken("it is not closed"))
}

/// Finds the lines that hold something.
pub fn of_lines(payload: &[u8], limit: usize, items: &mut Vec<Range<usize>>) -> Result<(), DecodeError> {
    items.clear();
    let mut start = if payload.starts_with(BOM) { BOM.len() } else { 0 };
    while start < payload.len() {
        let end = memchr::memchr(b'\n', &payload[start..]).map_or(payload.len(), |at| start + at);
        if skip_blank(&payload[..end], start) < end {
            push(payload, start..end, limit, items)?;
        }
        start = end + 1;
    }
    if items.is_empty() { Err(DecodeError::Empty) } else { Ok(()) }
}

fn push(payload: &[u8], item: Range<usize>, limit: usize, items: &mut Vec<Range<usize>>) -> Result<(), DecodeError> {
    if skip_blank(&payload[..item.end], item.start) == item.end {
        return Err(broken("an element is empty"));
    }
    if items.len() == limit {
        return Err(DecodeError::TooManyItems { limit });
    }
    items.push(item);
    Ok(())
}

fn after_the_array(payload: &[u8], at: usize) -> Result<(), DecodeError> {
    if skip_blank(payload, at) == payload.len() { Ok(()) } else { Err(broken("something follows it")) }
}

fn skip_blank(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// The place after the closing quotation mark.
fn end_of_text(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2; // the escaped byte may be a quotation mark
    }
}

fn broken(what: &str) -> DecodeError {
    DecodeError::InvalidJson { problem: format!("the array cannot be taken apart: {what}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn array(payload: &str) -> Result<Vec<&str>, DecodeError> {
        let mut items = Vec::new();
        of_array(payload.as_bytes(), 5, &mut items)?;
        Ok(items.into_iter().map(|item| payload[item].trim()).collect())
    }

    fn lines(payload: &str) -> Result<Vec<&str>, DecodeError> {
        let mut items = Vec::new();
        of_lines(payload.as_bytes(), 5, &mut items)?;
        Ok(items.into_iter().map(|item| payload[item].trim()).collect())
    }

    #[test]
    fn brackets_and_commas_inside_texts_and_nested_values_are_no_borders() {
        let payload = r#" [ {"a":"],[\"}"} , [1,[2]] ,"x\\",{"b":{"c":[{}]}} ] "#;
        assert_eq!(array(payload), Ok(vec![r#"{"a":"],[\"}"}"#, "[1,[2]]", r#""x\\""#, r#"{"b":{"c":[{}]}}"#]));
        assert_eq!(array("\u{feff}[{}]"), Ok(vec!["{}"]));
        assert_eq!(array("[ ]"), Ok(vec![]));
    }

    #[test]
    fn what_is_no_array_is_one_item() {
        assert_eq!(array(r#"{"a":[1,2]}"#), Ok(vec![r#"{"a":[1,2]}"#]));
        assert_eq!(array(""), Ok(vec![""]));
    }

    #[test]
    fn an_array_that_cannot_be_taken_apart_is_broken_as_a_whole() {
        for payload in ["[", "[1", "[1,]", "[,1]", "[1,,2]", "[1]x", "[1][2]", "[{]", "[{]}]", "[}", "[\"a]", "[\"\\"] {
            assert!(matches!(array(payload), Err(DecodeError::InvalidJson { .. })), "{payload}");
        }
        assert!(matches!(array(&"[".repeat(1000)), Err(DecodeError::InvalidJson { .. })));
    }

    #[test]
    fn the_number_of_items_is_bounded() {
        assert_eq!(array("[1,2,3,4,5,6]"), Err(DecodeError::TooManyItems { limit: 5 }));
        assert_eq!(lines("1\n2\n3\n4\n5\n6"), Err(DecodeError::TooManyItems { limit: 5 }));
    }

    #[test]
    fn blank_lines_are_no_items() {
        assert_eq!(lines("{\"a\":1}\r\n\n  \n{\"a\":2}\n"), Ok(vec!["{\"a\":1}", "{\"a\":2}"]));
        assert_eq!(lines(" \n"), Err(DecodeError::Empty));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_apart_or_refused_and_never_overlap(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            for split in [of_array, of_lines] {
                let mut items = Vec::new();
                if split(&payload, 50, &mut items).is_ok() {
                    let mut end = 0;
                    for item in items {
                        prop_assert!(item.start >= end && item.end <= payload.len());
                        end = item.end;
                    }
                }
            }
        }

        #[test]
        fn the_elements_of_every_array_are_those_that_the_parser_finds(
            text in r#"\[("[a-z\[\],]{0,4}"|[0-9]|\{"k":\[1,"\]"\]\}|\[\])(, ?([0-9]|"\\""|\{\}|\[[0-9],[0-9]\])){0,4}\]"#
        ) {
            let parsed: Vec<serde_json::Value> = serde_json::from_str(&text).expect("an array");
            let found: Vec<serde_json::Value> =
                array(&text).expect("sound").iter().map(|item| serde_json::from_str(item).expect("an element")).collect();
            prop_assert_eq!(found, parsed);
        }
    }
}
