use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use proptest::prelude::*;

use super::*;
use crate::config::pipeline::SchemaFile;

const WRITER: &str = r#"{"type":"record","name":"R","fields":[
    {"name":"id","type":"int"},
    {"name":"place","type":{"type":"record","name":"P","fields":[{"name":"lat","type":"double"},{"name":"note","type":["null","string"]}]}},
    {"name":"kind","type":{"type":"enum","name":"K","symbols":["a","b"]}},
    {"name":"extra","type":{"type":"map","values":"long"}},
    {"name":"day","type":{"type":"int","logicalType":"date"}},
    {"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},
    {"name":"sum","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
    {"name":"tags","type":{"type":"array","items":["null","string","boolean"]}},
    {"name":"old_name","type":"string"}]}"#;
/// What the tests read: a promoted number, a new field with a default, a renamed column and a renamed field.
const CONTRACT: &str = r#"{"type":"record","name":"R","fields":[
    {"name":"id","type":"long","column":"Номер"},
    {"name":"fresh","type":"string","default":"new"},
    {"name":"new_name","aliases":["old_name"],"type":["null","string"],"default":null},
    {"name":"place","type":["null",{"type":"record","name":"P","fields":[{"name":"lat","type":"double"}]}],"default":null}]}"#;

fn file(text: &str) -> SchemaFile {
    SchemaFile { path: "test.avsc".to_owned(), text: text.to_owned() }
}

fn layout(framing: Framing, contract: Option<&str>, writers: &[&str]) -> AvroLayout {
    AvroLayout { framing, contract: contract.map(file), writers: writers.iter().map(|text| file(text)).collect() }
}

fn text(text: &str) -> Avro {
    Avro::String(text.to_owned())
}

fn body() -> Vec<u8> {
    let place =
        vec![("lat".to_owned(), Avro::Double(54.5)), ("note".to_owned(), Avro::Union(1, Box::new(text("двор"))))];
    let value = Avro::Record(vec![
        ("id".to_owned(), Avro::Int(7)),
        ("place".to_owned(), Avro::Record(place)),
        ("kind".to_owned(), Avro::Enum(1, "b".to_owned())),
        ("extra".to_owned(), Avro::Map([("x".to_owned(), Avro::Long(5))].into())),
        ("day".to_owned(), Avro::Date(20_000)),
        ("at".to_owned(), Avro::Union(1, Box::new(Avro::TimestampMillis(1_767_692_096_789)))),
        ("sum".to_owned(), Avro::Decimal(vec![0xFF, 0x85].into())),
        ("tags".to_owned(), Avro::Array(vec![Avro::Union(0, Box::new(Avro::Null))])),
        ("old_name".to_owned(), text("имя")),
    ]);
    let schema = &parse(WRITER).expect("sound").schema;
    GenericDatumWriter::builder(schema).build().and_then(|writer| writer.write_value_to_vec(value)).expect("fits")
}

fn decoded(decoder: &AvroDecoder, record: &[u8], names: &[&str]) -> Result<Vec<Value<'static>>, DecodeError> {
    let columns = Columns::new(names.iter().copied());
    let mut slots = Vec::new();
    decoder.decode(record, &columns, &mut slots).map(|()| slots)
}

#[test]
fn every_kind_of_value_reaches_its_column() {
    let decoder = AvroDecoder::new(&layout(Framing::Plain, None, &[WRITER]));
    let names = ["id", "place.lat", "place.note", "kind", "extra.x", "day", "at", "sum", "tags", "place", "nowhere"];
    let slots = decoded(&decoder, &body(), &names).expect("sound");
    assert_eq!(slots[..2], [Value::Integer(7), Value::Real(54.5)]);
    assert_eq!(slots[2..4], [Value::Text("двор".into()), Value::Text("b".into())]);
    assert_eq!(slots[4..7], [Value::Integer(5), Value::Day(20_000), Value::Instant(1_767_692_096_789)]);
    assert_eq!(slots[7..9], [Value::Text("-1.23".into()), Value::Composite("an array")]);
    assert_eq!(slots[9..], [Value::Missing, Value::Missing], "a record whose fields are wanted is no value itself");
}

#[test]
fn the_contract_promotes_renames_and_fills_in() {
    let decoder = AvroDecoder::new(&layout(Framing::Plain, Some(CONTRACT), &[WRITER]));
    let names = ["Номер", "fresh", "new_name", "place.lat", "kind"];
    let slots = decoded(&decoder, &body(), &names).expect("sound");
    let wanted =
        [Value::Integer(7), Value::Text("new".into()), Value::Text("имя".into()), Value::Real(54.5), Value::Missing];
    assert_eq!(slots, wanted);
}

#[test]
fn a_field_that_neither_schema_can_give_is_named() {
    let contract = r#"{"type":"record","name":"R","fields":[{"name":"absent","type":"string"}]}"#;
    let decoder = AvroDecoder::new(&layout(Framing::Plain, Some(contract), &[WRITER]));
    let error = decoded(&decoder, &body(), &["absent"]).expect_err("no default");
    assert_eq!(error.reason(), "schema_mismatch");
    assert!(error.to_string().contains("absent"), "{error}");
}

#[test]
fn a_record_is_read_to_its_last_byte_or_not_at_all() {
    let decoder = AvroDecoder::new(&layout(Framing::Plain, None, &[WRITER]));
    let body = body();
    for length in 1..body.len() {
        let error = decoded(&decoder, &body[..length], &["id"]).expect_err("cut");
        assert_eq!(error.reason(), "invalid_avro", "cut at {length}");
    }
    let longer = [&body[..], b"\0"].concat();
    assert_eq!(decoded(&decoder, &longer, &["id"]).expect_err("goes on").reason(), "invalid_avro");
}

#[test]
fn a_single_object_is_read_by_the_schema_of_its_fingerprint() {
    let decoder = AvroDecoder::new(&layout(Framing::SingleObject, None, &[CONTRACT, WRITER]));
    let fingerprint = parse(WRITER).expect("sound").fingerprint.to_le_bytes();
    let record = [&SINGLE_OBJECT_MAGIC[..], &fingerprint, &body()].concat();
    assert_eq!(decoded(&decoder, &record, &["id"]), Ok(vec![Value::Integer(7)]));
    let other = [&SINGLE_OBJECT_MAGIC[..], &[1; 8], &body()].concat();
    assert_eq!(decoded(&decoder, &other, &["id"]).expect_err("unknown").reason(), "unknown_schema");
    assert_eq!(decoded(&decoder, b"{}", &["id"]).expect_err("no header").reason(), "bad_framing");
}

#[test]
fn a_schema_of_the_registry_is_asked_for_once_and_an_unknown_one_rejects() {
    let mut decoder = AvroDecoder::new(&layout(Framing::Confluent, None, &[]));
    let record = [&[0, 0, 0, 1, 2][..], &body()].concat();
    assert_eq!(decoder.missing(&record), Some(SchemaId(258)));
    decoder.learn(SchemaId(258), Err("the registry does not know it".to_owned()));
    assert_eq!(decoder.missing(&record), None);
    assert_eq!(decoded(&decoder, &record, &["id"]).expect_err("unknown").reason(), "unknown_schema");
    decoder.forget_unusable();
    assert_eq!(decoder.missing(&record), Some(SchemaId(258)), "it may be known by now");
    decoder.learn(SchemaId(258), Ok(WRITER));
    assert_eq!(decoded(&decoder, &record, &["id"]), Ok(vec![Value::Integer(7)]));
    assert_eq!(decoder.missing(b"\x01\0\0\0\x01"), None, "another framing is a reject, not a question");
}

#[test]
fn decimals_are_written_out() {
    let shown = [(&[0x7B][..], 0), (&[0x7B], 2), (&[0x05], 2), (&[0xFF], 1), (&[0; 17], 2)];
    let texts = shown.map(|(bytes, scale)| decimal_text(bytes, scale));
    assert_eq!(
        texts,
        [Some("123"), Some("1.23"), Some("0.05"), Some("-0.1"), None].map(|text| text.map(str::to_owned))
    );
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), contract: bool, framing in 0..3usize) {
        let framing = [Framing::Plain, Framing::SingleObject, Framing::Confluent][framing];
        let mut decoder = AvroDecoder::new(&layout(framing, contract.then_some(CONTRACT), &[WRITER]));
        decoder.learn(SchemaId(1), Ok(WRITER));
        let names = ["id", "place.lat", "extra.x", "sum", "Номер"];
        let _ = decoded(&decoder, &bytes, &names);
        let framed = match framing {
            Framing::Plain => bytes,
            Framing::SingleObject => {
                [&SINGLE_OBJECT_MAGIC[..], &parse(WRITER).expect("sound").fingerprint.to_le_bytes(), &bytes].concat()
            }
            Framing::Confluent => [&[0, 0, 0, 0, 1][..], &bytes].concat(),
        };
        let _ = decoded(&decoder, &framed, &names);
    }

    #[test]
    fn a_changed_byte_never_panics(at in 0..60usize, byte: u8, contract: bool) {
        let decoder = AvroDecoder::new(&layout(Framing::Plain, contract.then_some(CONTRACT), &[WRITER]));
        let mut body = body();
        let at = at % body.len();
        body[at] = byte;
        let _ = decoded(&decoder, &body, &["id", "place.lat", "sum"]);
    }
}
