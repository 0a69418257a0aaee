//! A small JSON writer that appends to a reused byte buffer: the simulation's only output format.
//! Owner: the record writers. Invariant: without `escape` every character above U+007F goes out as UTF-8; with it as
//! `\uXXXX`, surrogate pairs included, as some senders do.

/// Writes one object field by field.
pub(super) struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    escape: bool,
    first: bool,
}

impl<'a> ObjectWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, escape: bool) -> ObjectWriter<'a> {
        out.clear();
        out.push(b'{');
        ObjectWriter { out, escape, first: true }
    }

    fn name(&mut self, name: &str) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out.push(b'"');
        // Field names are ours and hold nothing to escape.
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.value(value);
    }

    /// A list of one text: a wrong type on purpose.
    pub(super) fn list(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.push(b'[');
        self.value(value);
        self.out.push(b']');
    }

    /// A whole number: a wrong type on purpose.
    pub(super) fn integer(&mut self, name: &str, value: u64) {
        self.name(name);
        push_number(self.out, value, 1);
    }

    /// A coordinate with six decimal places, given in millionths.
    pub(super) fn millionths(&mut self, name: &str, value: u64) {
        self.name(name);
        push_number(self.out, value / 1_000_000, 1);
        self.out.push(b'.');
        push_number(self.out, value % 1_000_000, 6);
    }

    pub(super) fn finish(self) {
        self.out.push(b'}');
    }

    fn value(&mut self, value: &str) {
        self.out.push(b'"');
        if self.escape {
            self.escaped(value);
        } else {
            self.plain(value.as_bytes());
        }
        self.out.push(b'"');
    }

    fn plain(&mut self, mut rest: &[u8]) {
        while let Some(position) = memchr::memchr3(b'"', b'\\', b'\n', rest) {
            self.out.extend_from_slice(&rest[..position]);
            self.out.extend_from_slice(match rest[position] {
                b'\n' => b"\\n",
                b'"' => b"\\\"",
                _ => b"\\\\",
            });
            rest = &rest[position + 1..];
        }
        self.out.extend_from_slice(rest);
    }

    fn escaped(&mut self, value: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut units = [0u16; 2];
        for character in value.chars() {
            if character.is_ascii() {
                self.plain(&[character as u8]);
                continue;
            }
            for unit in character.encode_utf16(&mut units) {
                let digit = |shift: u16| HEX[usize::from(*unit >> shift & 15)];
                self.out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
        }
    }
}

/// Appends a number in decimal, padded with zeros to `width`.
pub(super) fn push_number(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while value > 0 || digits.len() - start < width {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[start..]);
}

/// The same into a text.
pub(super) fn push_digits(out: &mut String, mut value: u64, width: usize) {
    let mut digits = [0u8; 20];
    let mut count = 0;
    while value > 0 || count < width {
        digits[count] = b'0' + (value % 10) as u8;
        value /= 10;
        count += 1;
    }
    for digit in digits[..count].iter().rev() {
        out.push(char::from(*digit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_read_back_as_the_same_text() {
        let text = "Двор \"Ёлочный\"\nкв. 5 \\ 6 😡";
        for escape in [false, true] {
            let mut out = Vec::new();
            let mut object = ObjectWriter::new(&mut out, escape);
            object.text("text", text);
            object.millionths("lat", 54_600_005);
            object.integer("n", 0);
            object.finish();
            let read: serde_json::Value = serde_json::from_slice(&out).expect("valid JSON");
            assert_eq!(read["text"], text);
            assert_eq!(read["lat"], 54.600005);
            assert_eq!(out.is_ascii(), escape);
        }
    }
}
