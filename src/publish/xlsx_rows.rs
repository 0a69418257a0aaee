//! Rows of the sheets of an XLSX workbook, in order, a sheet after the other.
//! Owner: `TableReader`; a thread reads the workbook ahead. Invariants: a sheet is read if one of its first rows names the column
//! of the case, the others and hidden ones are left out and named; memory is bounded by the file, its texts and a few hundred
//! rows; no message quotes a cell.

use std::io::{Cursor, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use calamine::{DataRef, Reader, SheetType, SheetVisible, Xlsx};

use super::header::{Cell, Header, Search};
use super::{Row, RowError, Source};

/// A larger file is no export of a registry; saved as CSV it is read in constant memory.
const MAX_FILE_BYTES: u64 = 200 << 20;
/// Rows that wait between the thread and the reader.
const AHEAD: usize = 256;
/// More columns than any export has; a stray cell at the right end of a sheet must not make every row long.
const MAX_COLUMNS: u32 = 1_000;
/// Days from the end of 1899 to the beginning of 1904, the other epoch of spreadsheets.
const EPOCH_1904: f64 = 1_462.0;

enum Told {
    Sheet(String),
    Row {
        number: u64,
        cells: Vec<Cell<'static>>,
    },
    /// What is wrong, if something is.
    End(Option<String>),
}

pub struct XlsxRows {
    pub(super) source: Source,
    told: Receiver<Told>,
    file: String,
    wanted: Option<String>,
    header: Option<Header>,
    search: Option<Search>,
    /// Sheets without a header.
    left_out: Vec<String>,
    ended: bool,
}

impl XlsxRows {
    /// Reads up to the first header. `wanted` is the only sheet to be read, where one is named.
    pub fn new(source: Source, input: Box<dyn Read + Send>, wanted: Option<String>) -> Result<XlsxRows, RowError> {
        let mut bytes = Vec::new();
        let read = input.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| source.error(0, format!("cannot be read: {error}"), "check the file"))?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(source.error(0, "is longer than 200 MiB", "save it as CSV, which is read row by row"));
        }
        if bytes.starts_with(b"\xd0\xcf\x11\xe0") {
            return Err(source.error(0, "is an old .xls file or has a password", "save it as .xlsx without one"));
        }
        let (sender, told) = sync_channel(AHEAD);
        let thread = std::thread::Builder::new().name("tsur-xlsx".to_owned());
        thread
            .spawn(move || read_workbook(bytes, &sender))
            .map_err(|error| source.error(0, format!("no thread could be started: {error}"), "try again"))?;
        let file = source.file.clone();
        let mut rows =
            XlsxRows { source, told, file, wanted, header: None, search: None, left_out: Vec::new(), ended: false };
        rows.find_first_header()?;
        Ok(rows)
    }

    fn find_first_header(&mut self) -> Result<(), RowError> {
        let mut failed = None;
        while self.header.is_none() {
            match self.told.recv() {
                Ok(Told::Sheet(name)) => {
                    failed = failed.or_else(|| self.close_sheet());
                    self.open_sheet(name);
                }
                Ok(Told::Row { number, cells }) => self.look(number, &cells),
                Ok(Told::End(Some(problem))) => {
                    return Err(self.source.error(0, problem, "open it in a spreadsheet program and save it again"));
                }
                Ok(Told::End(None)) | Err(_) => {
                    failed = failed.or_else(|| self.close_sheet());
                    self.ended = true;
                    let unknown = self.wanted.as_ref().map(|name| {
                        self.source.error(0, format!("has no sheet {name:?}"), "give the name as the tab shows it")
                    });
                    return Err(failed.or(unknown).unwrap_or_else(|| {
                        self.source.error(0, "has no sheet with rows", "check that this is the right file")
                    }));
                }
            }
        }
        Ok(())
    }

    fn open_sheet(&mut self, name: String) {
        self.source.file = format!("{}[{name}]", self.file);
        self.header = None;
        self.search = self.wanted.as_ref().is_none_or(|wanted| *wanted == name).then(Search::default);
    }

    /// The sheet is over; why it had no header, if it was looked at.
    fn close_sheet(&mut self) -> Option<RowError> {
        let search = self.search.take()?;
        if self.header.is_some() {
            return None;
        }
        self.left_out.push(self.source.file.clone());
        Some(search.failed(&self.source))
    }

    fn look(&mut self, number: u64, cells: &[Cell<'static>]) {
        let Some(search) = &mut self.search else { return };
        if search.is_over() {
            return;
        }
        match Header::of(&self.source, cells) {
            Some(header) => self.header = Some(header),
            None => search.pass(number, cells),
        }
    }

    pub fn read(&mut self, row: &mut Row) -> Option<Result<(), RowError>> {
        loop {
            if self.ended {
                return None;
            }
            let told = self.told.recv().unwrap_or(Told::End(Some("could not be read to its end".to_owned())));
            let (number, mut cells) = match told {
                Told::Sheet(name) => {
                    self.close_sheet();
                    self.open_sheet(name);
                    continue;
                }
                Told::End(problem) => {
                    self.close_sheet();
                    self.ended = true;
                    let broken = |problem| self.source.error(0, problem, "save the file again, or as CSV");
                    return problem.map(|problem| Err(broken(problem)));
                }
                Told::Row { number, cells } => (number, cells),
            };
            let Some(header) = &self.header else {
                self.look(number, &cells);
                continue;
            };
            if cells.iter().all(Cell::is_empty) {
                continue;
            }
            // a row of a sheet ends with its last cell that is not empty
            let width = header.width().max(cells.len());
            cells.resize(width, Cell::Text("".into()));
            row.line = number;
            match header.fill(&self.source, number, &cells, row) {
                Ok(true) => return Some(Ok(())),
                Ok(false) => continue,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Sheets that had no header, as messages name them.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }
}

/// Tells everything there is, until nobody listens any more.
fn read_workbook(bytes: Vec<u8>, told: &SyncSender<Told>) {
    let end = match read_sheets(bytes, told) {
        Ok(()) => None,
        // the text of the error may quote the file
        Err(_) => Some("is no sound XLSX file, or has a password".to_owned()),
    };
    let _ = told.send(Told::End(end)); // the reader may be gone
}

fn read_sheets(bytes: Vec<u8>, told: &SyncSender<Told>) -> Result<(), calamine::XlsxError> {
    let mut workbook: Xlsx<Cursor<Vec<u8>>> = Xlsx::new(Cursor::new(bytes))?;
    let shift = if workbook.has_1904_epoch() { EPOCH_1904 } else { 0.0 };
    let visible =
        |sheet: &&calamine::Sheet| sheet.visible == SheetVisible::Visible && sheet.typ == SheetType::WorkSheet;
    let names: Vec<String> =
        workbook.sheets_metadata().iter().filter(visible).map(|sheet| sheet.name.clone()).collect();
    for name in names {
        if told.send(Told::Sheet(name.clone())).is_err() {
            return Ok(());
        }
        let mut cells = workbook.worksheet_cells_reader(&name)?;
        let (mut number, mut row) = (0, Vec::new());
        while let Some(cell) = cells.next_cell()? {
            let (line, column) = cell.get_position();
            if line != number && !row.is_empty() {
                let full = Told::Row { number: u64::from(number) + 1, cells: std::mem::take(&mut row) };
                if told.send(full).is_err() {
                    return Ok(());
                }
            }
            number = line;
            let value = value_of(cell.get_value(), shift);
            if column >= MAX_COLUMNS || value.is_empty() {
                continue;
            }
            row.resize(column as usize, Cell::Text("".into()));
            row.push(value);
        }
        if !row.is_empty() && told.send(Told::Row { number: u64::from(number) + 1, cells: row }).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn value_of(value: &DataRef<'_>, shift: f64) -> Cell<'static> {
    let text = |text: &str| Cell::Text(text.to_owned().into());
    match value {
        DataRef::Int(number) => Cell::Number(*number as f64),
        DataRef::Float(number) => Cell::Number(*number),
        DataRef::String(value) | DataRef::DateTimeIso(value) | DataRef::DurationIso(value) => text(value),
        DataRef::SharedString(value) => text(value),
        DataRef::Bool(flag) => text(if *flag { "true" } else { "false" }),
        DataRef::DateTime(at) if at.is_datetime() => Cell::Serial(at.as_f64() + shift),
        DataRef::DateTime(at) => Cell::Number(at.as_f64()),
        // a formula that failed says nothing
        DataRef::Error(_) | DataRef::Empty => text(""),
    }
}
