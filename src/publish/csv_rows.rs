//! Rows of a CSV table as JSON objects: `;`, `,` or tab, UTF-8 or windows-1251, quoted cells with line ends, a header.
//! Owner: `TableReader`. Invariants: all cells are texts under the names of the header in its order, but for the columns
//! that the pipeline drops; a row has as many cells as the header or is refused; memory is bounded by the longest row allowed, even when a quote is never closed.

use std::io::{self, Cursor, Read};

use csv::ByteRecord;
use encoding_rs::WINDOWS_1251;

use super::{Row, RowError, Source};
use crate::config::pipeline::{Delimiter, Encoding, TableLayout};
use crate::config::reader::did_you_mean;

/// The header line must lie within this much of the file.
const HEAD_BYTES: u64 = 256 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

pub struct CsvRows {
    pub(super) source: Source,
    reader: csv::Reader<Limited>,
    encoding: Encoding,
    header: Vec<String>,
    /// `"name":` of each column, escaped once; `None` where the column is left out.
    prefixes: Vec<Option<Vec<u8>>>,
    keys: Vec<usize>,
    cells: ByteRecord,
    ended: bool,
}

impl CsvRows {
    pub fn new(
        source: Source,
        mut input: Box<dyn Read + Send>,
        layout: Option<&TableLayout>,
    ) -> Result<CsvRows, RowError> {
        let mut head = Vec::new();
        let read = input.by_ref().take(HEAD_BYTES).read_to_end(&mut head);
        read.map_err(|error| source.error(0, format!("cannot be read: {error}"), "check the file"))?;
        if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
            return Err(source.error(1, "is UTF-16", "save it as CSV in UTF-8"));
        }
        let bom = if head.starts_with(BOM) { BOM.len() } else { 0 };
        let encoding = match layout.map_or(Encoding::Auto, |layout| layout.encoding) {
            Encoding::Auto if bom > 0 => Encoding::Utf8,
            encoding => encoding,
        };
        let delimiter = match layout.map_or(Delimiter::Auto, |layout| layout.delimiter) {
            Delimiter::Semicolon => b';',
            Delimiter::Comma => b',',
            Delimiter::Tab => b'\t',
            Delimiter::Auto => delimiter_of(&head[bom..]),
        };
        let mut start = Cursor::new(head);
        start.set_position(bom as u64);
        // The last row ends with a line end too, so that the line of each row can be told from where the next one begins.
        let input = Box::new(start.chain(input).chain(&b"\n"[..]));
        let limited = Limited { input, taken: 0, limit: source.max_record_bytes as u64 };
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .terminator(csv::Terminator::Any(b'\n')) // CR is cut below; the crate miscounts lines that end with CR LF
            .has_headers(false) // read below by the same code as the rows
            .flexible(true)
            .buffer_capacity(64 * 1024)
            .from_reader(limited);
        let mut rows = CsvRows {
            source,
            reader,
            encoding,
            header: Vec::new(),
            prefixes: Vec::new(),
            keys: Vec::new(),
            cells: ByteRecord::new(),
            ended: false,
        };
        rows.read_header()?;
        Ok(rows)
    }

    fn read_header(&mut self) -> Result<(), RowError> {
        let line = match self.next_cells() {
            Some(line) => line?,
            None => return Err(self.source.error(1, "is empty", "the first row must name the columns")),
        };
        self.settle_encoding();
        for cell in &self.cells {
            let cell = without_cr(cell);
            let name = decode(self.encoding, cell).ok_or_else(|| not_utf8(&self.source, line))?;
            self.header.push(name.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        while self.header.last().is_some_and(String::is_empty) {
            self.header.pop(); // lines that end with a delimiter
        }
        for (index, name) in self.header.iter().enumerate() {
            if name.is_empty() {
                return Err(self.source.error(
                    line,
                    format!("column {} has no name", index + 1),
                    "name every column in the first row",
                ));
            }
            if self.header[..index].contains(name) {
                return Err(self.source.error(
                    line,
                    format!("column {name:?} is there twice"),
                    "give each column its own name",
                ));
            }
            let mut prefix = Vec::new();
            push_json_text(&mut prefix, name);
            prefix.push(b':');
            self.prefixes.push((!self.source.drop.contains(name)).then_some(prefix));
        }
        self.keys =
            self.source.key_columns.iter().filter_map(|key| self.header.iter().position(|name| name == key)).collect();
        if self.keys.is_empty() {
            let wanted = self.source.key_columns.join(" or ");
            let hint = did_you_mean(&wanted, self.header.iter().map(String::as_str));
            let problem = format!("has no column {wanted:?}{hint}; it has: {}", self.header.join(" | "));
            return Err(self.source.error(
                line,
                problem,
                "check the delimiter and the encoding, or the pipeline's case_id",
            ));
        }
        Ok(())
    }

    /// Reads the next row into `cells` and gives its line.
    fn next_cells(&mut self) -> Option<Result<u64, RowError>> {
        if self.ended {
            return None;
        }
        self.reader.get_mut().taken = 0;
        let line = self.reader.position().line();
        match self.reader.read_byte_record(&mut self.cells) {
            Ok(true) => {
                // The record's own position is before the blank lines that the crate skips.
                let inside = memchr::memchr_iter(b'\n', self.cells.as_slice()).count() as u64;
                Some(Ok((self.reader.position().line() - 1).saturating_sub(inside)))
            }
            Ok(false) => {
                self.ended = true;
                None
            }
            Err(error) => {
                // Where the next row begins is not known any more.
                self.ended = true;
                let too_long =
                    matches!(error.kind(), csv::ErrorKind::Io(inner) if inner.kind() == io::ErrorKind::FileTooLarge);
                Some(Err(if too_long {
                    let problem = format!(
                        "the row is longer than {} bytes; the rest of the file is not read",
                        self.source.max_record_bytes
                    );
                    self.source.error(
                        line,
                        problem,
                        "look for a quotation mark that opens in this row and is never closed",
                    )
                } else {
                    self.source.error(line, format!("cannot be read further: {error}"), "check the file")
                }))
            }
        }
    }

    /// The first row with a letter outside ASCII decides for the whole file.
    fn settle_encoding(&mut self) {
        if self.encoding == Encoding::Auto && !self.cells.as_slice().is_ascii() {
            let utf8 = self.cells.iter().all(|cell| std::str::from_utf8(cell).is_ok());
            self.encoding = if utf8 { Encoding::Utf8 } else { Encoding::Windows1251 };
        }
    }

    pub fn read(&mut self, row: &mut Row) -> Option<Result<(), RowError>> {
        loop {
            let line = match self.next_cells()? {
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            };
            if self.cells.iter().all(|cell| cell.trim_ascii().is_empty()) {
                continue;
            }
            self.settle_encoding();
            row.line = line;
            match self.fill(row, line) {
                Ok(true) => return Some(Ok(())),
                Ok(false) => continue,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// `false` for a header that comes again, as in files put together from several exports.
    fn fill(&self, row: &mut Row, line: u64) -> Result<bool, RowError> {
        let width = self.header.len();
        let beyond = self.cells.iter().skip(width).any(|cell| !cell.trim_ascii().is_empty());
        if self.cells.len() < width || beyond {
            let problem = format!("has {} cells, the header has {width}", self.cells.len());
            return Err(self.source.error(
                line,
                problem,
                "put cells that contain the delimiter or a line end in quotation marks",
            ));
        }
        row.key.clear();
        row.payload.clear();
        let mut is_header = true;
        for (index, cell) in self.cells.iter().take(width).enumerate() {
            let cell = if index + 1 == self.cells.len() { without_cr(cell) } else { cell };
            let text = decode(self.encoding, cell).ok_or_else(|| not_utf8(&self.source, line))?;
            is_header &= text.trim() == self.header[index];
            if let Some(prefix) = &self.prefixes[index] {
                row.payload.push(if row.payload.is_empty() { b'{' } else { b',' });
                row.payload.extend_from_slice(prefix);
                push_json_text(&mut row.payload, &text);
            }
        }
        row.payload.push(b'}');
        if is_header {
            return Ok(false);
        }
        for key in &self.keys {
            let cell = self.cells.get(*key).unwrap_or_default();
            let text = decode(self.encoding, cell).ok_or_else(|| not_utf8(&self.source, line))?;
            if self.source.is_key(text.trim()) {
                row.key.extend_from_slice(text.trim().as_bytes());
                break;
            }
        }
        if row.key.is_empty() {
            return Err(self.source.no_key(line));
        }
        if row.payload.len() > self.source.max_record_bytes {
            let problem = format!("is {} bytes long as JSON", row.payload.len());
            return Err(self.source.error(
                line,
                problem,
                format!("at most {} are allowed", self.source.max_record_bytes),
            ));
        }
        Ok(true)
    }

    pub fn bytes_done(&self) -> u64 {
        self.reader.position().byte()
    }
}

fn not_utf8(source: &Source, line: u64) -> RowError {
    source.error(
        line,
        "is not UTF-8",
        "save the file in UTF-8, or set encoding = \"windows-1251\" in the table of the pipeline",
    )
}

/// The last cell of a row in a file with CR LF.
fn without_cr(cell: &[u8]) -> &[u8] {
    cell.strip_suffix(b"\r").unwrap_or(cell)
}

/// `None`: not valid in this encoding. Windows-1251 gives every byte a meaning.
fn decode(encoding: Encoding, cell: &[u8]) -> Option<std::borrow::Cow<'_, str>> {
    match encoding {
        Encoding::Windows1251 => Some(WINDOWS_1251.decode_without_bom_handling(cell).0),
        Encoding::Utf8 | Encoding::Auto => std::str::from_utf8(cell).ok().map(std::borrow::Cow::Borrowed),
    }
}

/// The one of `;`, tab and `,` that the header line has most of, outside quotation marks.
fn delimiter_of(head: &[u8]) -> u8 {
    let mut counts = [(0_u32, b','), (0, b'\t'), (0, b';')];
    let mut quoted = false;
    for byte in head {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            byte if !quoted => counts.iter_mut().filter(|(_, mark)| mark == byte).for_each(|(count, _)| *count += 1),
            _ => {}
        }
    }
    // Of equal counts the last wins: `;`, the mark of exports made in Russia.
    counts.iter().max_by_key(|(count, _)| *count).map_or(b';', |(_, mark)| *mark)
}

/// `text` as a JSON string.
fn push_json_text(out: &mut Vec<u8>, text: &str) {
    // Writing a str into a Vec cannot fail.
    let written = serde_json::to_writer(out, text);
    debug_assert!(written.is_ok());
}

/// Gives up when one row takes more than the limit: an open quotation mark would swallow the file into memory.
struct Limited {
    input: Box<dyn Read + Send>,
    taken: u64,
    limit: u64,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken > self.limit {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let count = self.input.read(buffer)?;
        self.taken += count as u64;
        Ok(count)
    }
}
