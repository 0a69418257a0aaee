//! Tests of `pipeline_read.rs`.

use super::*;

const POS: &str = include_str!("../../pipelines/pos.toml");
const INCIDENT: &str = include_str!("../../pipelines/incident.toml");

/// The smallest sound pipeline file.
const SMALL: &str = "source = \"s\"\nkafka_topic = \"in.s\"\nshape = \"snapshot\"\n[fields]\ncase_id = \"id\"\n";

fn load(text: &str) -> Result<Pipeline, Vec<String>> {
    let errors = Errors::default();
    let pipeline = read("pipelines/s.toml", text, &errors);
    let result = errors.into_result().map_err(|list| list.0.iter().map(ToString::to_string).collect());
    result.map(|()| pipeline)
}

fn mistakes(text: &str) -> Vec<String> {
    load(text).expect_err("mistakes")
}

#[test]
fn the_pos_export_is_mapped_by_its_own_columns_and_no_name_of_staff_is_read() {
    let pos = load(POS).expect("sound");
    assert_eq!(pos.field(Field::Topic).expect("mapped").columns, ["Факт", "Подкатегория"]);
    assert_eq!(pos.field(Field::RegisteredAt).expect("mapped").format, TimeFormat::DayMonthYear);
    assert_eq!(pos.key_columns(), ["Номер"]);
    assert_eq!(pos.required, [Field::CaseId, Field::RegisteredAt, Field::Status]);
    assert_eq!(pos.status_map.len(), 9);
    let columns = pos.fields.iter().flat_map(|mapping| &mapping.columns);
    assert_eq!(columns.filter(|column| column.starts_with("ФИО")).count(), 0);
}

#[test]
fn an_incident_is_a_series_of_events() {
    let incident = load(INCIDENT).expect("sound");
    assert_eq!(incident.shape, Shape::Event);
    assert_eq!(incident.event_map.len(), 10);
    assert_eq!(incident.status_of_event, [("taken".to_owned(), Status::Moderation)]);
    assert_eq!(incident.key_columns(), ["incident_id"]);
    let read_columns: Vec<&String> = incident.fields.iter().flat_map(|mapping| &mapping.columns).collect();
    assert!(!read_columns.iter().any(|column| *column == "author_name"));
}

#[test]
fn a_small_file_is_enough_and_canonical_words_need_no_map() {
    let pipeline = load(&format!("{SMALL}status = \"state\"\nkind = {{ value = \"complaint\" }}\n")).expect("sound");
    assert_eq!((pipeline.partitions, pipeline.stream_epoch, pipeline.unknown_words), (8, 1, UnknownWord::Reject));
    assert_eq!(pipeline.status_map.len(), Status::ALL.len());
    assert!(pipeline.kind_map.is_empty(), "a constant needs no map");
    assert_eq!(pipeline.field(Field::Kind).expect("mapped").value.as_deref(), Some("complaint"));
}

#[test]
fn what_the_shape_needs_is_asked_for() {
    let found = mistakes(&SMALL.replace("snapshot", "event"));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("pipelines/s.toml:4: fields.event: is missing"), "{found:#?}");
    assert!(found[1].starts_with("pipelines/s.toml:4: fields.event_at: is missing"), "{found:#?}");
}

#[test]
fn a_field_or_word_that_does_not_exist_gets_a_suggestion() {
    let found = mistakes(&format!(
        "{SMALL}teritory = \"t\"\nstatus = \"state\"\n[status]\n\"Новое\" = \"nwe\"\n\"Готово\" = \"anwered\"\n"
    ));
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].starts_with(
        "pipelines/s.toml:6: fields.teritory: no such field; did you mean \"territory\"? (allowed: case_id,"
    ));
    assert!(found[1].contains(":9: ") && found[1].contains("did you mean \"new\"?"), "{found:#?}");
    assert!(found[2].contains("did you mean \"answered\"?"), "{found:#?}");
}

#[test]
fn one_word_in_two_spellings_has_one_meaning() {
    let map = "status = \"state\"\n[status]\n\"Отправлен ответ заявителю\" = \"answered\"\n\"отправлен  ответ Заявителю\" = \"closed\"\n";
    let found = mistakes(&format!("{SMALL}{map}"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains(":9: ") && found[0].contains("means \"answered\" above"), "{found:#?}");
}

#[test]
fn what_a_mapping_cannot_mean_is_refused() {
    let fields = "status = { column = \"a\", value = \"new\" }\ntopic = { column = \"t\", format = \"unix\" }\n\
                  text = { column = \"x\", raw = true }\nrating = { value = \"5\" }\nlaw = 5\nbody = []\nevent_at = \"at\"\n";
    let found = mistakes(&format!("{SMALL}{fields}"));
    let lines: Vec<usize> = (6..=12).collect();
    assert_eq!(found.len(), lines.len(), "{found:#?}");
    for (message, line) in found.iter().zip(lines) {
        assert!(message.starts_with(&format!("pipelines/s.toml:{line}: fields.")), "{message}");
    }
}

#[test]
fn the_kafka_key_of_a_file_is_the_column_of_the_case() {
    let found = mistakes(&format!("{SMALL}[table]\nkey = \"date\"\n"));
    assert_eq!(found, ["pipelines/s.toml:7: table.key: \"date\" is not the column of case_id (allowed: id)"]);
}

#[test]
fn a_change_of_status_must_say_to_which() {
    let text = "source = \"s\"\nkafka_topic = \"tsur.alerts\"\nshape = \"event\"\n[fields]\ncase_id = \"id\"\nevent = \"e\"\n\
                event_at = \"t\"\n[event]\ntaken = \"status_changed\"\nrated = \"rated\"\n[status_of_event]\nrouted = \"in_work\"\n";
    let found = mistakes(text);
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[0].contains(":2: kafka_topic: tsur itself writes to tsur.alerts"), "{found:#?}");
    assert!(found[1].contains(":9: event.taken:") && found[2].contains(":10: event.rated:"), "{found:#?}");
    assert!(found[3].contains(":12: status_of_event.routed: not a word of the table event"), "{found:#?}");
}

#[test]
fn a_column_that_a_field_reads_cannot_be_dropped() {
    let found = mistakes(&format!("{SMALL}[table]\ndrop = [\"name\", \"id\"]\n"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("pipelines/s.toml:7: table.drop: \"id\" is read"), "{found:#?}");
    let pos = load(POS).expect("sound");
    assert!(pos.table.expect("there").drop.iter().all(|column| column.starts_with("ФИО")));
}

#[test]
fn a_record_of_several_items_says_how_they_are_wrapped() {
    let payload = load(&format!("items = \"array\"\nmax_items = 500\n{SMALL}")).expect("sound").payload;
    assert_eq!((payload.items, payload.max_items), (Items::Array, 500));
    assert_eq!(load(SMALL).expect("sound").payload, Payload::default());
    let found = mistakes(&format!("items = \"list\"\n{SMALL}"));
    assert!(found[0].contains("items: \"list\" is not a word of this list"), "{found:#?}");
    let found = mistakes(&format!("max_items = 70000\n{SMALL}"));
    assert_eq!(found.len(), 2, "out of range, and without meaning: {found:#?}");
}

#[test]
fn compression_and_encoding_are_words_of_a_list() {
    let text = format!("compression = \"zstd\"\nencoding = \"windows-1251\"\n{SMALL}");
    let payload = load(&text).expect("sound").payload;
    assert_eq!((payload.compression, payload.encoding), (Compression::Zstd, Encoding::Windows1251));
    let found = mistakes(&format!("compression = \"lz4\"\nencoding = \"koi8-r\"\n{SMALL}"));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("pipelines/s.toml:1: compression") && found[1].contains(":2: encoding"), "{found:#?}");
}

#[test]
fn an_avro_pipeline_reads_its_schemas_and_says_what_its_framing_needs() {
    let avro = |table: &str| format!("format = \"avro\"\n{SMALL}[avro]\n{table}");
    let schema = "contract = \"../schemas/avro/pos.avsc\"\n";
    let plain = load(&avro(&format!("framing = \"plain\"\n{schema}"))).expect("sound");
    let layout = plain.avro.expect("there");
    assert!(layout.contract.expect("read").text.contains("Номер"));
    assert_eq!(plain.payload.compression, Compression::None, "a bare record may begin with any byte");
    for (table, key) in [
        ("", "avro.framing: is missing"),
        ("framing = \"plain\"\n", "avro.writer_schema: is missing"),
        ("framing = \"single_object\"\n", "avro.writer_schemas: is missing"),
        (
            "framing = \"confluent\"\nwriter_schema = \"../schemas/avro/pos.avsc\"\n",
            "avro.writer_schema: has no meaning",
        ),
        (
            "framing = \"confluent\"\ncontract = \"nowhere.avsc\"\n",
            "avro.contract: pipelines/nowhere.avsc cannot be read",
        ),
        ("framing = \"confluent\"\ncontract = \"pos.toml\"\n", "avro.contract: pipelines/pos.toml: not an Avro schema"),
    ] {
        let found = mistakes(&avro(table));
        assert!(found.len() == 1 && found[0].contains(key), "{found:#?}");
    }
    let found = mistakes(&avro(&format!("framing = \"plain\"\n{schema}")).replace("format = \"avro\"\n", ""));
    assert!(found.len() == 1 && found[0].contains("avro: has no meaning for JSON"), "{found:#?}");
    let wrapped = format!("items = \"lines\"\nencoding = \"windows-1251\"\n{}", avro("framing = \"confluent\"\n"));
    assert_eq!(mistakes(&wrapped).len(), 2);
}

#[test]
fn the_fields_of_each_contract_are_the_columns_of_its_pipeline() {
    for (text, contract) in [
        (POS, include_str!("../../schemas/avro/pos.avsc")),
        (INCIDENT, include_str!("../../schemas/avro/incident.avsc")),
    ] {
        let pipeline = load(text).expect("sound");
        let mut wanted: Vec<&str> =
            pipeline.fields.iter().flat_map(|mapping| &mapping.columns).map(String::as_str).collect();
        let mut given = crate::codec::avro_schema::parse(contract).expect("sound").columns();
        wanted.sort_unstable();
        wanted.dedup();
        given.sort_unstable();
        assert_eq!(given, wanted);
    }
}

#[test]
fn refinements_stand_only_where_they_mean_something() {
    let fields = "topic = { column = \"t\", join = \"/\" }\ntext = { column = \"x\", unknown_words = \"ignore\" }\n\
                  rating = { column = \"r\", decimals = 2 }\nlatitude = { column = \"lat\", decimals = 9 }\n";
    let found = mistakes(&format!("{SMALL}{fields}"));
    assert_eq!(found.len(), 4, "{found:#?}");
    for (message, start) in found.iter().zip([
        "6: fields.topic.join",
        "7: fields.text.unknown_words",
        "8: fields.rating.decimals",
        "9: fields.latitude.decimals",
    ]) {
        assert!(message.starts_with(&format!("pipelines/s.toml:{start}: ")), "{message}");
    }
}

#[test]
fn any_part_of_a_joined_number_can_be_the_kafka_key() {
    let joined = SMALL.replace("\"id\"", "{ columns = [\"number\", \"question\"], join = \"/\" }");
    let pipeline = load(&format!("{joined}[table]\nkey = \"number\"\n")).expect("sound");
    assert_eq!(pipeline.key_columns(), ["number"]);
    assert_eq!(pipeline.field(Field::CaseId).expect("mapped").join.as_deref(), Some("/"));
    assert_eq!(mistakes(&format!("{joined}[table]\nkey = \"date\"\n")).len(), 1);
}
