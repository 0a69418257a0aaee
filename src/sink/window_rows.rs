//! Projection rows of a partition as Native blocks, and windows read back.
//! Pure. Invariant: a row carries the whole value and the version `below`, so writing it again changes nothing.

use crate::enrich::names::NameLists;
use crate::model::case::{BlockId, BodyId, TerritoryId};
use crate::model::ids::Offset;
use crate::model::windows::{WindowKey, WindowUnit, WindowValue};
use crate::partition::ports::{BacklogRow, ProjectionRows, StreamId};
use crate::sink::due_rows;
use crate::sink::native::{BlockWriter, Dictionary, Fixed};
use crate::sink::window_sql::WindowRow;

const UNIT: &str = "Enum8('minute' = 1, 'hour' = 2, 'day' = 3)";
const DATETIME: &str = "DateTime('Europe/Moscow')";

/// The tables and blocks that the rows make; tables without rows are left out.
pub fn blocks(
    stream: &StreamId,
    rows: &ProjectionRows,
    below: Offset,
    names: &NameLists,
) -> Vec<(&'static str, Vec<u8>)> {
    let mut blocks = Vec::new();
    if !rows.windows.is_empty() {
        blocks.push(("sla_windows", sla_block(stream, &rows.windows, below, names)));
        let satisfaction: Vec<_> = rows.windows.iter().filter(|(_, value)| value.has_satisfaction()).copied().collect();
        if !satisfaction.is_empty() {
            blocks.push(("satisfaction_windows", satisfaction_block(stream, &satisfaction, below, names)));
        }
    }
    if !rows.backlog.is_empty() {
        blocks.push(("backlog", backlog_block(stream, &rows.backlog, below, names)));
    }
    if !rows.dues.is_empty() {
        blocks.push(("case_dues", due_rows::block(stream, &rows.dues, names)));
    }
    blocks
}

/// The columns that windows of both tables begin with.
fn key_columns(stream: &StreamId, rows: &[(WindowKey, WindowValue)], below: Offset, names: &NameLists) -> BlockWriter {
    let mut out = BlockWriter::new(rows.len(), rows.len() * 160);
    let (mut unit, mut start) = (Fixed::default(), Fixed::default());
    let (mut block, mut territory, mut body) = (Dictionary::default(), Dictionary::default(), Dictionary::default());
    for (key, _) in rows {
        unit.u8(key.unit as u8);
        start.u32(key.start);
        block.push(u16::from(key.block.0), |number| names.blocks.name(number));
        territory.push(key.territory.0, |number| names.territories.name(number));
        body.push(key.body.0, |number| names.bodies.name(number));
    }
    out.fixed("unit", UNIT, &mut unit);
    out.fixed("window_start", DATETIME, &mut start);
    out.constant_word("source", &stream.source);
    out.dictionary("block", &mut block);
    out.dictionary("territory", &mut territory);
    out.dictionary("body", &mut body);
    stream_columns(&mut out, stream, below);
    out
}

fn stream_columns(out: &mut BlockWriter, stream: &StreamId, below: Offset) {
    out.constant_word("kafka_topic", &stream.topic);
    out.constant("kafka_partition", "UInt16", &(stream.partition.0 as u16).to_le_bytes());
    out.constant("version", "UInt64", &below.0.to_le_bytes());
}

fn int32(out: &mut BlockWriter, name: &str, values: impl Iterator<Item = i32>) {
    let mut column = Fixed::default();
    values.for_each(|value| column.i32(value));
    out.fixed(name, "Int32", &mut column);
}

fn int64(out: &mut BlockWriter, name: &str, values: impl Iterator<Item = i64>) {
    let mut column = Fixed::default();
    values.for_each(|value| column.i64(value));
    out.fixed(name, "Int64", &mut column);
}

fn sla_block(stream: &StreamId, rows: &[(WindowKey, WindowValue)], below: Offset, names: &NameLists) -> Vec<u8> {
    let mut out = key_columns(stream, rows, below, names);
    let values = || rows.iter().map(|(_, value)| value);
    int32(&mut out, "registered", values().map(|v| v.registered));
    int32(&mut out, "first_answered", values().map(|v| v.first_answered));
    int64(&mut out, "first_seconds", values().map(|v| v.first_seconds));
    int32(&mut out, "answered", values().map(|v| v.answered));
    int64(&mut out, "answer_seconds", values().map(|v| v.answer_seconds));
    int32(&mut out, "closed", values().map(|v| v.closed));
    int32(&mut out, "first_breached", values().map(|v| v.first_breached));
    int32(&mut out, "final_breached", values().map(|v| v.final_breached));
    int32(&mut out, "returned", values().map(|v| v.returned));
    int32(&mut out, "reopened", values().map(|v| v.reopened));
    int32(&mut out, "deferred", values().map(|v| v.deferred));
    int32(&mut out, "declined", values().map(|v| v.declined));
    int32(&mut out, "transferred", values().map(|v| v.transferred));
    int32(&mut out, "merged", values().map(|v| v.merged));
    int32(&mut out, "stage_breached", values().map(|v| v.stage_breached));
    int64(&mut out, "held_seconds", values().map(|v| v.held_seconds));
    out.finish()
}

fn satisfaction_block(
    stream: &StreamId,
    rows: &[(WindowKey, WindowValue)],
    below: Offset,
    names: &NameLists,
) -> Vec<u8> {
    let mut out = key_columns(stream, rows, below, names);
    let values = || rows.iter().map(|(_, value)| value);
    int32(&mut out, "rated", values().map(|v| v.rated));
    int32(&mut out, "rating_sum", values().map(|v| v.rating_sum));
    int32(&mut out, "rated_high", values().map(|v| v.rated_high));
    int32(&mut out, "rated_low", values().map(|v| v.rated_low));
    int32(&mut out, "satisfied", values().map(|v| v.satisfied));
    int32(&mut out, "not_satisfied", values().map(|v| v.not_satisfied));
    out.finish()
}

/// The minute's rows, and before them its mark: the row without source and dimensions that says "counted".
fn backlog_block(stream: &StreamId, rows: &[BacklogRow], below: Offset, names: &NameLists) -> Vec<u8> {
    let mut out = BlockWriter::new(rows.len(), rows.len() * 80);
    let mut minute = Fixed::default();
    let (mut source, mut block, mut territory, mut body) =
        (Dictionary::default(), Dictionary::default(), Dictionary::default(), Dictionary::default());
    let (mut open, mut due_2h, mut due_24h, mut overdue, mut oldest) =
        (Fixed::default(), Fixed::default(), Fixed::default(), Fixed::default(), Fixed::default());
    for row in rows {
        minute.u32(row.minute);
        let is_mark = row.value.open == 0;
        source.push(u16::from(!is_mark), |number| if number == 0 { "".into() } else { stream.source.clone() });
        block.push(u16::from(row.block.0), |number| names.blocks.name(number));
        territory.push(row.territory.0, |number| names.territories.name(number));
        body.push(row.body.0, |number| names.bodies.name(number));
        open.u32(row.value.open);
        due_2h.u32(row.value.due_2h);
        due_24h.u32(row.value.due_24h);
        overdue.u32(row.value.overdue);
        oldest.u32(row.value.oldest);
    }
    out.fixed("minute", DATETIME, &mut minute);
    out.dictionary("source", &mut source);
    out.dictionary("block", &mut block);
    out.dictionary("territory", &mut territory);
    out.dictionary("body", &mut body);
    stream_columns(&mut out, stream, below);
    out.fixed("open", "UInt32", &mut open);
    out.fixed("due_2h", "UInt32", &mut due_2h);
    out.fixed("due_24h", "UInt32", &mut due_24h);
    out.fixed("overdue", "UInt32", &mut overdue);
    out.fixed("oldest", DATETIME, &mut oldest);
    out.finish()
}

/// A window summed over the journal; `None` for a unit this binary does not know.
pub fn read_window(row: &WindowRow, names: &NameLists) -> Option<(WindowKey, WindowValue)> {
    let unit = WindowUnit::ALL.into_iter().find(|unit| *unit as u8 == row.unit)?;
    let (block, territory, body) = (
        BlockId(names.blocks.number(&row.block) as u8),
        TerritoryId(names.territories.number(&row.territory)),
        BodyId(names.bodies.number(&row.body)),
    );
    Some((WindowKey { unit, start: row.start, block, territory, body }, row.value()))
}
