//! What understanding one text costs: the whole enrichment as a worker does it, over the same tokens, and each stage alone.
//! Owner: `make bench`, or `cargo bench --bench text`; needs no engine. Each iteration is one text of about 1 KB, in turn from
//! a set of two hundred, so that neither caches nor branch predictors know it by heart; words are warm, as in a running worker.
//! `record` is a record of 1 KB with such a text in it, on the whole way from its bytes to facts: what decoding costs of it
//! stands beside, the rest is enrichment.
//! Invariants: the set is the same for a seed; tokens are made before the stages that read them.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use tsur::app::rules::SharedRules;
use tsur::codec::{Value, json};
use tsur::config::{self, Config};
use tsur::enrich::answer::{AnswerFacts, AnswerReader};
use tsur::enrich::classify::score::Reader;
use tsur::enrich::enricher::{Enricher, TextBooks};
use tsur::enrich::locate::{Atlas, Locator, Manner};
use tsur::enrich::mask::Masker;
use tsur::enrich::repeats::Fingerprinter;
use tsur::enrich::tone::ToneReader;
use tsur::generate::{Region, SimulatedRecord, Simulation, SimulationConfig};
use tsur::mapping::mapper::{Mapper, Texts};
use tsur::model::time::Time;
use tsur::text::{Tokens, Words, tokenize};

const SEED: u64 = 20_260_101;
/// 2026-01-01, Moscow; a month of event time.
const START: i64 = 1_767_214_800;
const MONTH: i64 = 30 * 86_400;
const TEXTS: usize = 200;
/// Bytes of a text.
const LEAST: usize = 850;
const MOST: usize = 1_250;
/// Bytes of a record.
const RECORD: usize = 1_024;
const IDENTITY: &str = "5f1c0b7a9d3e48269c7b10fe2d8a6453b1908e7f6c5d4a3b2918070605f4e3d2";

fn configuration() -> Config {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    config::load(&root, &|_| None).expect("the shipped configuration is sound")
}

/// The region's incidents, until `takes` has enough.
fn simulate(mut takes: impl FnMut(&SimulatedRecord) -> bool) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/reference");
    let file = |name: &str| std::fs::read_to_string(root.join(name)).expect("readable");
    let [blocks, topics, territories, bodies] =
        ["blocks", "topics", "territories", "bodies"].map(|name| file(&format!("{name}.toml")));
    let region = Region::from_toml(&blocks, &topics, &territories, &bodies).expect("the shipped region is sound");
    let time = |seconds| Time::from_unix_seconds(seconds).expect("in range");
    let mut settings = SimulationConfig::new(SEED, time(START), time(START + MONTH));
    settings.records = Some(20_000);
    settings.pos_share = 0.0;
    settings.broken = 0.0;
    let mut simulation = Simulation::new(settings, &region).expect("sound");
    let mut record = SimulatedRecord::default();
    while simulation.next(&mut record) {
        if !takes(&record) {
            return;
        }
    }
    panic!("the simulation writes enough");
}

/// What people of the simulated region write, a few messages to a text: usual ones are shorter than 1 KB.
fn texts() -> Vec<String> {
    let (mut texts, mut text, mut known) = (Vec::new(), String::new(), std::collections::HashSet::new());
    simulate(|record| {
        let message = longest_word_of(&record.payload);
        if message.len() >= 200 && text.len() + message.len() <= MOST && known.insert(message.clone()) {
            text.push_str(&message);
            text.push('\n');
            if text.len() >= LEAST {
                texts.push(std::mem::take(&mut text));
            }
        }
        texts.len() < TEXTS
    });
    texts
}

/// Messages as their source sends them, with as much of a text in them as makes a record of 1 KB.
fn records(texts: &[String]) -> Vec<Vec<u8>> {
    let mut records: Vec<Vec<u8>> = Vec::new();
    simulate(|record| {
        let mut fields: serde_json::Value = serde_json::from_slice(&record.payload).expect("sound");
        if fields["event"] == "found" {
            fields["text"] = "".into();
            let room = RECORD - fields.to_string().len();
            let text = texts[records.len()].replace('\n', " ");
            let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).expect("the beginning");
            fields["text"] = text[..end].into();
            records.push(fields.to_string().into_bytes());
        }
        records.len() < TEXTS
    });
    records
}

/// The longest string of a record is its text.
fn longest_word_of(payload: &[u8]) -> String {
    let record: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
    let strings = record.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
    strings.max_by_key(|string| string.len()).unwrap_or_default().to_owned()
}

/// Measures one text after another.
fn each(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut one: impl FnMut(usize)) {
    let mut next = 0;
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            one(next);
            next = (next + 1) % TEXTS;
        });
    });
}

fn enrichment(criterion: &mut Criterion) {
    let (config, texts) = (configuration(), texts());
    let books = TextBooks::build(&config.reference.texts).expect("sound phrases");
    let atlas = Arc::new(Atlas::new(&config.reference));
    let classifier = config.classifier();
    let mut group = criterion.benchmark_group("text");
    let bytes: usize = texts.iter().map(String::len).sum();
    group.throughput(Throughput::Bytes((bytes / TEXTS) as u64));

    let (mut enricher, mut reader) = (Enricher::new(&books), Reader::new());
    let (mut locator, mut out) = (Locator::new(atlas.clone()), Vec::new());
    each(&mut group, "whole", |place| {
        out.clear();
        let text = texts[place].as_str();
        black_box(enricher.message(black_box(text), &mut out));
        let (words, tokens) = enricher.tokens();
        black_box(classifier.classify(tokens, words, &mut reader));
        black_box(locator.locate(text, tokens, words, Manner::Text));
    });

    let (mut words, mut tokens) = (Words::new(), Tokens::new());
    each(&mut group, "tokens", |place| {
        tokenize(black_box(&texts[place]), &mut words, &mut tokens);
        black_box(tokens.len());
    });
    let cut: Vec<Tokens> = texts
        .iter()
        .map(|text| {
            let mut tokens = Tokens::new();
            tokenize(text, &mut words, &mut tokens);
            tokens
        })
        .collect();
    let mut masker = Masker::new(books.persons.clone());
    each(&mut group, "mask", |place| {
        out.clear();
        black_box(masker.mask_into(&texts[place], &words, &cut[place], &mut out));
    });
    let mut tone = ToneReader::new(books.tone.clone());
    each(&mut group, "tone", |place| {
        black_box(tone.read(&words, &cut[place]));
    });
    let mut fingerprints = Fingerprinter::default();
    each(&mut group, "fingerprint", |place| {
        black_box(fingerprints.read(&words, &cut[place]));
    });
    let mut reader = Reader::new();
    each(&mut group, "classification", |place| {
        black_box(classifier.classify(&cut[place], &words, &mut reader));
    });
    let mut locator = Locator::new(atlas);
    each(&mut group, "place", |place| {
        black_box(locator.locate(&texts[place], &cut[place], &words, Manner::Text));
    });
    let mut answers = AnswerReader::new(books.answers.clone());
    each(&mut group, "answer", |place| {
        black_box(answers.read(&words, &cut[place], AnswerFacts::default()));
    });
    group.finish();
}

/// From the bytes of a record to its facts: decoding, then everything that enrichment is, the author's key and the address included.
fn record(criterion: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let key = |name: &str| (name == "TSUR_IDENTITY_KEY").then(|| IDENTITY.to_owned());
    let config = config::load(&root, &key).expect("the shipped configuration is sound");
    let shared = SharedRules::build(&config, Some(IDENTITY)).expect("the shipped rules are sound");
    let pipeline = config.pipelines.iter().find(|pipeline| pipeline.source == "incident").expect("shipped");
    let mut mapper = Mapper::new(pipeline, shared.dictionaries.clone(), shared.identity.clone());
    let records = records(&texts());
    let bytes: usize = records.iter().map(Vec::len).sum();
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Bytes((bytes / TEXTS) as u64));
    let columns = pipeline.fields.iter().flat_map(|field| &field.columns).map(|column| column.as_str());
    let columns: std::collections::BTreeSet<&str> = columns.collect();
    let columns = json::Columns::new(columns);
    each(&mut group, "decoded", |place| {
        let mut slots: Vec<Value<'_>> = Vec::new();
        black_box(json::decode(&records[place], &columns, &mut slots)).expect("sound");
    });
    let (mut texts, received) = (Texts::default(), Time::from_unix_seconds(START + MONTH).expect("in range"));
    each(&mut group, "decoded and enriched", |place| {
        let mut slots = Vec::new();
        black_box(mapper.map(&records[place], received, &mut slots, &mut texts)).expect("sound");
    });
    group.finish();
}

criterion_group!(benches, enrichment, record);
criterion_main!(benches);
