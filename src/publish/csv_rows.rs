//! Rows of a CSV table as JSON objects: `;`, `,` or tab, UTF-8 or windows-1251, quoted cells with line ends, a header with titles above it.
//! Owner: `TableReader`. Invariants: a row has as many cells as the header or is refused (what becomes of them: `header`); memory is
//! bounded by the longest row allowed, even when a quote is never closed.

use std::io::{self, Cursor, Read};

use csv::ByteRecord;
use encoding_rs::WINDOWS_1251;

use super::header::{Cell, Header, Search};
use super::{Row, RowError, Source};
use crate::config::pipeline::{Delimiter, Encoding, TableLayout};

/// The header line must lie within this much of the file.
const HEAD_BYTES: u64 = 256 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

pub struct CsvRows {
    pub(super) source: Source,
    reader: csv::Reader<Limited>,
    encoding: Encoding,
    /// There as soon as there is a reader.
    header: Option<Header>,
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
            Delimiter::Auto => delimiter_of(&head[bom..], &source.key_columns),
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
        let mut rows = CsvRows { source, reader, encoding, header: None, cells: ByteRecord::new(), ended: false };
        rows.read_header()?;
        Ok(rows)
    }

    fn read_header(&mut self) -> Result<(), RowError> {
        let mut search = Search::default();
        while !search.is_over() {
            let line = match self.next_cells() {
                Some(line) => line?,
                None => break,
            };
            self.settle_encoding();
            let cells = self.decoded(line)?;
            match Header::of(&self.source, &cells) {
                Some(header) => {
                    self.header = Some(header);
                    return Ok(());
                }
                None => search.pass(line, &cells),
            }
        }
        Err(search.failed(&self.source))
    }

    /// The row in `cells` as texts.
    fn decoded(&self, line: u64) -> Result<Vec<Cell<'_>>, RowError> {
        let last = self.cells.len().saturating_sub(1);
        let text = |(index, cell)| {
            let cell = if index == last { without_cr(cell) } else { cell };
            decode(self.encoding, cell).map(Cell::Text).ok_or_else(|| not_utf8(&self.source, line))
        };
        self.cells.iter().enumerate().map(text).collect()
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
            let Some(header) = &self.header else { return None }; // `new` gives no reader without one
            let filled = self.decoded(line).and_then(|cells| header.fill(&self.source, line, &cells, row));
            match filled {
                Ok(true) => return Some(Ok(())),
                Ok(false) => continue,
                Err(error) => return Some(Err(error)),
            }
        }
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

/// The one of `;`, tab and `,` that the header line has most of, outside quotation marks. Titles may stand above the header, so it
/// is the first line that has the name of a key column as a cell; without one it is the first line.
fn delimiter_of(head: &[u8], keys: &[String]) -> u8 {
    let spellings: Vec<Vec<u8>> =
        keys.iter().flat_map(|key| [key.as_bytes().to_vec(), WINDOWS_1251.encode(key).0.into_owned()]).collect();
    let is_key = |cell: &[u8]| {
        let bare = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'"';
        let begin = cell.iter().position(|byte| !bare(byte)).unwrap_or(cell.len());
        let end = cell.iter().rposition(|byte| !bare(byte)).map_or(begin, |last| last + 1);
        spellings.iter().any(|key| **key == cell[begin..end])
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = lines.clone().next().unwrap_or_default();
    let header =
        lines.find(|line| MARKS.iter().any(|mark| line.contains(mark) && line.split(|byte| byte == mark).any(is_key)));
    let counts = marks_of(header.unwrap_or(first));
    // Of equal counts the last wins: `;`, the mark of exports made in Russia.
    counts.iter().max_by_key(|(count, _)| *count).map_or(b';', |(_, mark)| *mark)
}

const MARKS: [u8; 3] = [b',', b'\t', b';'];

fn marks_of(line: &[u8]) -> [(u32, u8); 3] {
    let mut counts = MARKS.map(|mark| (0_u32, mark));
    let mut quoted = false;
    for byte in line {
        match byte {
            b'"' => quoted = !quoted,
            byte if !quoted => counts.iter_mut().filter(|(_, mark)| mark == byte).for_each(|(count, _)| *count += 1),
            _ => {}
        }
    }
    counts
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
