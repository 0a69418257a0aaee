//! Reads the table `[avro]` of a pipeline file and the schemas it names. Owner: `config`.
//! Invariants: a schema that is read here has parsed and may be read with; paths are relative to the pipeline file; the
//! texts of the schemas are part of the rules version, like the file that names them.

use std::path::{Path, PathBuf};

use super::files::tidy;
use super::pipeline::{AvroLayout, Compression, Encoding, Format, Framing, Items, Payload, SchemaFile};
use super::reader::Table;
use crate::codec::avro_schema;

const FRAMINGS: &[(&str, Framing)] =
    &[("confluent", Framing::Confluent), ("single_object", Framing::SingleObject), ("plain", Framing::Plain)];
const SCHEMA: &str = "the path of an .avsc file, relative to this file";

/// `file`: the path of the pipeline file. Adjusts what the format settles about the payload.
pub fn read(root: &Table, file: &str, format: Format, payload: &mut Payload) -> Option<AvroLayout> {
    if format == Format::Json {
        if let Some(item) = root.item("avro")
            && root.is_sound("format")
        {
            item.refuse("has no meaning for JSON", "format = \"avro\"");
        }
        return None;
    }
    let table = root.table("avro");
    if payload.items != Items::One {
        root.refuse("items", "Avro records are one item each", "leave it out");
    }
    if payload.encoding != Encoding::Utf8 {
        root.refuse("encoding", "a text of Avro is UTF-8 always", "leave it out");
    }
    let framing = table.require("framing", "confluent | single_object | plain").and_then(|item| item.choice(FRAMINGS));
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let contract = schema(&table, "contract", folder);
    let writer = schema(&table, "writer_schema", folder);
    let mut writers = schemas_of_folder(&table, folder);
    let framing = framing?;
    let allowed = match framing {
        Framing::Confluent => None,
        Framing::SingleObject => Some("writer_schemas"),
        Framing::Plain => Some("writer_schema"),
    };
    for key in ["writer_schema", "writer_schemas"] {
        if table.item(key).is_some() && allowed != Some(key) {
            table.refuse(
                key,
                "has no meaning in this framing",
                allowed.unwrap_or("no schema of a writer: the registry has them"),
            );
        }
    }
    if let Some(needed) = allowed
        && contract.is_none()
        && table.item(needed).is_none()
        && table.is_sound("contract")
    {
        table.refuse_missing(needed, "is missing, and there is no contract either", SCHEMA);
    }
    // the first bytes of a bare record may be any, also those of gzip
    if framing == Framing::Plain && payload.compression == Compression::Auto {
        if root.item("compression").is_some() {
            root.refuse("compression", "nothing tells a bare Avro record from a compressed one", "none | gzip | zstd");
        }
        payload.compression = Compression::None;
    }
    writers.extend(writer);
    Some(AvroLayout { framing, contract, writers })
}

fn schema(table: &Table, key: &'static str, folder: &Path) -> Option<SchemaFile> {
    let path = tidy(&folder.join(table.text(key)?));
    read_schema(table, key, &path)
}

fn read_schema(table: &Table, key: &'static str, path: &Path) -> Option<SchemaFile> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => match avro_schema::parse(&text) {
            Ok(_) => return Some(SchemaFile { path: name, text }),
            Err(problem) => table.refuse(key, format!("{name}: {problem}"), "a record schema in JSON"),
        },
        Err(error) => table.refuse(key, format!("{name} cannot be read: {error}"), SCHEMA),
    }
    None
}

fn schemas_of_folder(table: &Table, folder: &Path) -> Vec<SchemaFile> {
    const KEY: &str = "writer_schemas";
    let Some(path) = table.text(KEY) else { return Vec::new() };
    let path = tidy(&folder.join(path));
    let mut paths: Vec<PathBuf> = match std::fs::read_dir(&path) {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect(),
        Err(error) => {
            table.refuse(KEY, format!("{} cannot be read: {error}", path.display()), "a folder of .avsc files");
            return Vec::new();
        }
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "avsc"));
    paths.sort();
    if paths.is_empty() {
        table.refuse(KEY, format!("{} has no .avsc file", path.display()), "a folder of .avsc files");
    }
    paths.iter().filter_map(|path| read_schema(table, KEY, path)).collect()
}
