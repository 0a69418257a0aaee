//! JSON lines: each line is a record already; it is checked, keyed and sent as it is.
//! Owner: `TableReader`. Invariant: memory is bounded by the longest line allowed; a longer one is skipped, not kept.

use std::io::{BufRead, BufReader, Read};

use serde_json::Value;

use super::{Row, RowError, Source};

pub struct JsonRows {
    pub(super) source: Source,
    input: BufReader<Box<dyn Read + Send>>,
    line: u64,
    bytes: u64,
    buffer: Vec<u8>,
    ended: bool,
}

impl JsonRows {
    pub fn new(source: Source, input: Box<dyn Read + Send>) -> JsonRows {
        let input = BufReader::with_capacity(64 * 1024, input);
        JsonRows { source, input, line: 0, bytes: 0, buffer: Vec::new(), ended: false }
    }

    pub fn read(&mut self, row: &mut Row) -> Option<Result<(), RowError>> {
        loop {
            if self.ended {
                return None;
            }
            self.buffer.clear();
            let limit = self.source.max_record_bytes as u64 + 2; // CR LF
            let read = self.input.by_ref().take(limit).read_until(b'\n', &mut self.buffer);
            self.line += 1;
            match read {
                Ok(0) => return None,
                Ok(count) => self.bytes += count as u64,
                Err(error) => return Some(Err(self.end_with(&error))),
            }
            let whole = self.buffer.last() == Some(&b'\n');
            if !whole && self.buffer.len() as u64 == limit {
                return Some(Err(self.skip_long_line()));
            }
            let text = self.buffer.strip_prefix(b"\xef\xbb\xbf").filter(|_| self.line == 1).unwrap_or(&self.buffer);
            if text.trim_ascii().is_empty() {
                continue;
            }
            row.line = self.line;
            return Some(self.fill(row, text.trim_ascii()));
        }
    }

    fn fill(&self, row: &mut Row, text: &[u8]) -> Result<(), RowError> {
        row.key.clear();
        row.payload.clear();
        let mut value: Value = serde_json::from_slice(text).map_err(|error| {
            let problem = format!("is not JSON (column {})", error.column());
            self.source.error(self.line, problem, "each line must be one JSON object in UTF-8")
        })?;
        if !value.is_object() {
            return Err(self.source.error(self.line, "is not an object", "each line must be one JSON object"));
        }
        let key = self.source.key_columns.iter().find_map(|path| {
            let text = match lookup(&value, path)? {
                Value::String(text) => text.trim().to_owned(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            self.source.is_key(&text).then_some(text)
        });
        row.key.extend_from_slice(key.ok_or_else(|| self.source.no_key(self.line))?.as_bytes());
        let mut dropped = false;
        for path in &self.source.drop {
            dropped |= remove(&mut value, path);
        }
        if dropped {
            // writing into a Vec cannot fail
            let written = serde_json::to_writer(&mut row.payload, &value);
            debug_assert!(written.is_ok());
        } else {
            row.payload.extend_from_slice(text);
        }
        Ok(())
    }

    fn skip_long_line(&mut self) -> RowError {
        let error = self.source.error(
            self.line,
            format!("the line is longer than {} bytes", self.source.max_record_bytes),
            "each line must be one JSON object",
        );
        loop {
            let (count, found) = match self.input.fill_buf() {
                Ok([]) => break,
                Ok(buffer) => match buffer.iter().position(|byte| *byte == b'\n') {
                    Some(at) => (at + 1, true),
                    None => (buffer.len(), false),
                },
                Err(error) => return self.end_with(&error),
            };
            self.input.consume(count);
            self.bytes += count as u64;
            if found {
                break;
            }
        }
        error
    }

    fn end_with(&mut self, error: &std::io::Error) -> RowError {
        self.ended = true;
        self.source.error(self.line, format!("cannot be read further: {error}"), "check the file")
    }

    pub fn bytes_done(&self) -> u64 {
        self.bytes
    }
}

/// The name itself first, then as a path of objects: the rule of the field maps.
fn lookup<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    let (outer, inner) = path.split_once('.')?;
    lookup(value.get(outer)?, inner)
}

/// Takes out what `lookup` would find.
fn remove(value: &mut Value, path: &str) -> bool {
    let Some(object) = value.as_object_mut() else { return false };
    if object.remove(path).is_some() {
        return true;
    }
    let Some((outer, inner)) = path.split_once('.') else { return false };
    object.get_mut(outer).is_some_and(|value| remove(value, inner))
}
