//! Reads a sealed journal block back: the bytes that ClickHouse would get, as rows with named cells.
//! Invariants: every byte of the block is accounted for; a case comes out of its cells by the code that reads ClickHouse
//! (`sink::case_rows`), so a field that the block or the restore forgets breaks the laws.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::enrich::names::NameLists;
use crate::model::ids::Offset;
use crate::model::words::Outcome;
use crate::partition::ports::JournalFold;
use crate::sink::case_rows::{CASE_COLUMNS, CaseRow, EffectRow};

/// One cell: its bytes, without length prefix or dictionary.
type Cell = Vec<u8>;

/// One journal row.
#[derive(Clone)]
pub struct Row {
    pub offset: Offset,
    pub item: u16,
    /// Tick of its batch, milliseconds.
    pub sealed_at: i64,
    pub rules: u32,
    /// What the row says of its case; `None` where it reached none.
    pub fold: Option<JournalFold>,
    columns: Arc<Vec<(String, String)>>,
    cells: Vec<Cell>,
}

/// Columns in which two runs over the same records may differ: when a batch was sealed, and nothing else.
const OF_THE_BATCH: [&str; 1] = ["sealed_at"];

impl Row {
    /// The first column in which the rows differ, of those that may not.
    pub fn difference(&self, other: &Row) -> Option<String> {
        assert_eq!(self.columns, other.columns, "all blocks have the same columns");
        let differs = |place: &usize| self.cells[*place] != other.cells[*place];
        let places = (0..self.cells.len()).filter(|place| !OF_THE_BATCH.contains(&self.columns[*place].0.as_str()));
        let place = places.into_iter().find(differs)?;
        let (name, _) = &self.columns[place];
        Some(format!("{name}: {:?} and {:?}", self.cells[place], other.cells[place]))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> &[u8] {
        let (taken, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        taken
    }

    fn varint(&mut self) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.take(1)[0];
            value |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return value;
            }
        }
    }

    fn string(&mut self) -> Cell {
        let length = self.varint();
        self.take(length).to_vec()
    }

    fn number(&mut self) -> usize {
        u64::from_le_bytes(self.take(8).try_into().expect("eight bytes")) as usize
    }

    fn column(&mut self, kind: &str, rows: usize) -> Vec<Cell> {
        if kind == "String" {
            return (0..rows).map(|_| self.string()).collect();
        }
        if kind == "LowCardinality(String)" {
            return self.dictionary(rows);
        }
        if let Some(element) = kind.strip_prefix("Array(") {
            return self.array(element, rows);
        }
        let width = width_of(kind);
        (0..rows).map(|_| self.take(width).to_vec()).collect()
    }

    fn dictionary(&mut self, rows: usize) -> Vec<Cell> {
        assert_eq!(self.number(), 1, "version of the dictionary");
        let flags = self.number();
        let words = self.number();
        let words: Vec<Cell> = (0..words).map(|_| self.string()).collect();
        assert_eq!(self.number(), rows, "rows of the dictionary column");
        let width = if flags & 0xff == 0 { 1 } else { 2 };
        let code = |bytes: &[u8]| bytes.iter().rev().fold(0, |code, byte| code << 8 | usize::from(*byte));
        (0..rows).map(|_| words[code(self.take(width))].clone()).collect()
    }

    /// Each row's elements one after another, the parts of a tuple of an element together; effects become JSON.
    fn array(&mut self, element: &str, rows: usize) -> Vec<Cell> {
        let ends: Vec<usize> = (0..rows).map(|_| self.number()).collect();
        let total = ends.last().copied().unwrap_or_default();
        let elements: Vec<Value> = if element.starts_with("Tuple(kind") {
            self.effects(total)
        } else {
            self.take(total).iter().map(|code| json!(code)).collect() // Array(Enum8(…))
        };
        let begins = std::iter::once(0).chain(ends.iter().copied());
        begins.zip(&ends).map(|(begin, end)| Value::from(elements[begin..*end].to_vec()).to_string().into()).collect()
    }

    fn effects(&mut self, total: usize) -> Vec<Value> {
        let kinds = self.take(total).to_vec();
        let four = |reader: &mut Self| reader.take(4 * total).chunks(4).map(le_four).collect::<Vec<_>>();
        let ats = four(self);
        let signs = self.take(total).to_vec();
        let values = four(self);
        let bodies: Vec<Cell> = (0..total).map(|_| self.string()).collect();
        let days = self.take(total).to_vec();
        let effect = |place: usize| {
            let body = String::from_utf8_lossy(&bodies[place]);
            json!([kinds[place], ats[place], signs[place] as i8, values[place] as i32, body, days[place] == 1])
        };
        (0..total).map(effect).collect()
    }
}

fn le_four(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("four bytes"))
}

fn width_of(kind: &str) -> usize {
    match kind {
        "UInt8" | "Bool" => 1,
        "UInt16" => 2,
        "UInt32" | "Float32" => 4,
        "UInt64" => 8,
        "UInt128" => 16,
        _ if kind.starts_with("Enum8(") => 1,
        _ if kind.starts_with("DateTime64(") => 8,
        _ if kind.starts_with("DateTime(") => 4,
        _ => panic!("a type that the laws do not know: {kind}"),
    }
}

/// The rows of a block.
pub fn read_block(bytes: &[u8], names: &NameLists) -> Vec<Row> {
    let mut reader = Reader { bytes };
    let columns = reader.take(1)[0];
    let rows = reader.varint();
    let mut heads = Vec::new();
    let mut table = Vec::new();
    for _ in 0..columns {
        let [name, kind] = [reader.string(), reader.string()].map(|text| String::from_utf8(text).expect("a name"));
        table.push(reader.column(&kind, rows));
        heads.push((name, kind));
    }
    assert!(reader.bytes.is_empty(), "{} bytes are left behind the last column", reader.bytes.len());
    let heads = Arc::new(heads);
    (0..rows).map(|row| row_of(&heads, table.iter().map(|column| column[row].clone()).collect(), names)).collect()
}

fn row_of(columns: &Arc<Vec<(String, String)>>, cells: Vec<Cell>, names: &NameLists) -> Row {
    let place = |name: &str| columns.iter().position(|(column, _)| column == name).expect("a column of the journal");
    let number = |name: &str| unsigned(&cells[place(name)]);
    let outcome = Outcome::from_code(number("outcome") as u8).expect("a known outcome");
    let offset = number("kafka_offset");
    let (item, rules) = (number("item"), number("rules"));
    let fold = (outcome == Outcome::Applied).then(|| {
        let mut values = serde_json::Map::new();
        values.insert("version".to_owned(), json!(offset << 16 | item));
        for name in CASE_COLUMNS.split(", ").map(str::trim) {
            values.insert(name.to_owned(), value_of(&columns[place(name)].1, &cells[place(name)]));
        }
        let row: CaseRow = serde_json::from_value(Value::Object(values)).expect("the columns of a case");
        let mut case = row.into_case(names);
        case.fingerprint = wide(&cells[place("fingerprint")]); // JSON has no numbers of 128 bits
        let effects: Value = serde_json::from_slice(&cells[place("effects")]).expect("made above");
        let [block, territory] = ["previous_block", "previous_territory"].map(|name| text(&cells[place(name)]));
        let effects = json!({ "effects": effects, "previous_block": block, "previous_territory": territory });
        let effects: EffectRow = serde_json::from_value(effects).expect("the columns of effects");
        effects.into_fold(case, names)
    });
    let sealed_at = number("sealed_at") as i64;
    let (item, rules) = (item as u16, rules as u32);
    Row { offset: Offset(offset), item, sealed_at, rules, fold, columns: columns.clone(), cells }
}

fn value_of(kind: &str, cell: &Cell) -> Value {
    match kind {
        "String" | "LowCardinality(String)" => json!(text(cell)),
        "Bool" => json!(cell[0] == 1),
        "UInt128" => json!(0),
        _ => json!(unsigned(cell)),
    }
}

fn text(cell: &Cell) -> String {
    String::from_utf8(cell.clone()).expect("text")
}

fn unsigned(cell: &Cell) -> u64 {
    wide(cell) as u64
}

fn wide(cell: &Cell) -> u128 {
    cell.iter().rev().fold(0, |value, byte| value << 8 | u128::from(*byte))
}
