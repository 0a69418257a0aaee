//! What one record costs in memory: decode, map (masking and identity included), apply, encode, and the whole fold.
//! Owner: `make bench`; needs no engine and takes less than a minute. Each iteration is one record of the simulation, so
//! the time that criterion prints is the time a record takes.
//! Invariants: the corpus is the same for a seed; building a corpus or an empty state is never inside a measurement.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use hashbrown::HashMap;
use tsur::app::rules::{SharedRules, SourceRules};
use tsur::codec::{Value, json};
use tsur::config::{self, Config, Pipeline};
use tsur::generate::{Region, SimulatedRecord, Simulation, SimulationConfig};
use tsur::kafka::chunk::Chunk;
use tsur::mapping::mapper::{Mapper, Texts};
use tsur::model::apply::apply;
use tsur::model::case::{Case, RowVersion};
use tsur::model::effects::{Dimensions, Effect};
use tsur::model::facts::Facts;
use tsur::model::ids::{AssignmentEpoch, Offset, RulesVersion};
use tsur::model::time::Time;
use tsur::model::windows::Retention;
use tsur::model::words::Outcome;
use tsur::partition::fold::{BatchLimits, Fold, Progress};
use tsur::partition::ports::StreamId;
use tsur::sink::journal::{Fate, JournalBlock, Position, Told};

/// Records of the corpus of each source; enough for whole lives of cases, small enough to stay near the caches.
const RECORDS: u64 = 20_000;
const SEED: u64 = 20_260_101;
/// 2026-01-01, Moscow; a month of event time.
const START: i64 = 1_767_214_800;
const MONTH: i64 = 30 * 86_400;
const CHUNK: usize = 512;
/// The defaults of [windows].
const RETENTION: Retention = Retention { minute: 3 * 86_400, hour: 90 * 86_400 };
const IDENTITY: &str = "5f1c0b7a9d3e48269c7b10fe2d8a6453b1908e7f6c5d4a3b2918070605f4e3d2";

/// One source ready to be measured.
struct Bench {
    config: Config,
    shared: SharedRules,
    rules: Arc<SourceRules>,
    source: &'static str,
    records: Vec<SimulatedRecord>,
}

/// A record after mapping and applying: what the encoder gets.
struct Ready {
    facts: Facts,
    texts: Texts,
    case: Case,
    effects: Vec<Effect>,
    before: Dimensions,
    fate: (Outcome, &'static str),
}

impl Bench {
    fn new(source: &'static str) -> Bench {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let key = |name: &str| (name == "TSUR_IDENTITY_KEY").then(|| IDENTITY.to_owned());
        let config = config::load(&root.join("config"), &key).expect("the shipped configuration is sound");
        let shared = SharedRules::build(&config, Some(IDENTITY)).expect("the shipped rules are sound");
        let rules = Arc::new(shared.of_source(source));
        let records = corpus(root, source);
        Bench { config, shared, rules, source, records }
    }

    fn pipeline(&self) -> &Pipeline {
        self.config.pipelines.iter().find(|pipeline| pipeline.source == self.source).expect("a shipped pipeline")
    }

    fn mapper(&self) -> Mapper {
        Mapper::new(self.pipeline(), self.shared.dictionaries.clone(), self.shared.identity.clone())
    }

    fn stream(&self) -> StreamId {
        StreamId::new(&self.pipeline().name, "bench", 0)
    }

    fn fold(&self) -> Fold<SourceRules> {
        let limits = BatchLimits { rows: usize::MAX, bytes: usize::MAX, max_record_bytes: 20 << 20 };
        let (names, rules) = (self.shared.names.clone(), self.rules.clone());
        Fold::new(self.stream(), names, self.mapper(), rules, limits, RETENTION)
    }

    fn chunks(&self) -> Vec<Chunk> {
        let chunk_of = |(number, records): (usize, &[SimulatedRecord])| {
            let mut chunk = Chunk::new(AssignmentEpoch(1));
            for (index, record) in records.iter().enumerate() {
                let offset = Offset((number * CHUNK + index) as u64);
                chunk.push(offset, record.timestamp, Some(&record.payload));
            }
            chunk
        };
        self.records.chunks(CHUNK).enumerate().map(chunk_of).collect()
    }

    /// Every sound record with its facts, as the state machine sees them one after another.
    fn ready(&self) -> Vec<Ready> {
        let (mut mapper, mut slots) = (self.mapper(), Vec::new());
        let mut cases: HashMap<u64, Case> = HashMap::new();
        let mut ready = Vec::new();
        for (index, record) in self.records.iter().enumerate() {
            let mut texts = Texts::default();
            let Ok(facts) = mapper.map(&record.payload, received(record), &mut slots, &mut texts) else { continue };
            let known = cases.get(&facts.key.0);
            let before = known.map_or_else(Dimensions::default, Dimensions::of);
            let mut effects = Vec::new();
            let version = RowVersion::new(Offset(index as u64), 0);
            let (case, verdict) = apply(known, &facts, version, &*self.rules, &mut effects);
            cases.insert(facts.key.0, case);
            ready.push(Ready { facts, texts, case, effects, before, fate: (verdict.outcome, verdict.reason) });
        }
        ready
    }
}

fn received(record: &SimulatedRecord) -> Time {
    Time::from_unix_millis(record.timestamp).expect("a time of the simulation")
}

fn corpus(root: &Path, source: &str) -> Vec<SimulatedRecord> {
    let text = |name: &str| std::fs::read_to_string(root.join("pipelines/reference").join(name)).expect("readable");
    let [blocks, topics, territories, bodies] =
        ["blocks", "topics", "territories", "bodies"].map(|n| text(&format!("{n}.toml")));
    let region = Region::from_toml(&blocks, &topics, &territories, &bodies).expect("the shipped region is sound");
    let time = |seconds| Time::from_unix_seconds(seconds).expect("in range");
    let mut config = SimulationConfig::new(SEED, time(START), time(START + MONTH));
    config.records = Some(RECORDS);
    config.pos_share = if source == "pos" { 1.0 } else { 0.0 };
    let mut simulation = Simulation::new(config, &region).expect("sound");
    let mut records = Vec::new();
    let mut record = SimulatedRecord::default();
    while simulation.next(&mut record) {
        records.push(record.clone());
    }
    records
}

/// Runs `one` for every record in turn, begins anew with `fresh` at the end of the corpus, and times `one` only.
fn measure<S>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    len: usize,
    mut fresh: impl FnMut() -> S,
    mut some: impl FnMut(&mut S, std::ops::Range<usize>),
) {
    let mut state = fresh();
    let mut next = 0;
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let (mut left, mut spent) = (iterations as usize, Duration::ZERO);
            while left > 0 {
                if next == len {
                    state = fresh();
                    next = 0;
                }
                let upto = (next + left.min(CHUNK)).min(len);
                let start = Instant::now();
                some(&mut state, next..upto);
                spent += start.elapsed();
                left -= upto - next;
                next = upto;
            }
            spent
        });
    });
}

fn kernel(criterion: &mut Criterion, source: &'static str) {
    let bench = Bench::new(source);
    let records = &bench.records;
    let bytes: usize = records.iter().map(|record| record.payload.len()).sum();
    eprintln!("{source}: {} records, {} bytes each", records.len(), bytes / records.len());
    let mut group = criterion.benchmark_group(source);
    group.throughput(Throughput::Elements(1));
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));

    let mut names: Vec<&str> = Vec::new();
    for column in bench.pipeline().fields.iter().flat_map(|field| &field.columns) {
        if !names.contains(&column.as_str()) {
            names.push(column);
        }
    }
    let columns = json::Columns::new(names);
    measure(
        &mut group,
        "decode",
        records.len(),
        || (),
        |(), range| {
            let mut slots: Vec<Value<'_>> = Vec::new();
            for record in &records[range] {
                let _ = black_box(json::decode(&record.payload, &columns, &mut slots)); // broken records are part of it
            }
        },
    );

    let mapper = || (bench.mapper(), Texts::default());
    measure(&mut group, "map", records.len(), mapper, |(mapper, texts), range| {
        let mut slots = Vec::new();
        for record in &records[range] {
            let _ = black_box(mapper.map(&record.payload, received(record), &mut slots, texts));
        }
    });

    let ready = bench.ready();
    let store = || (tsur::model::case_store::CaseStore::default(), Vec::new());
    measure(&mut group, "apply", ready.len(), store, |(cases, effects), range| {
        for (index, row) in ready[range.clone()].iter().enumerate() {
            use tsur::model::case_store::Found;
            let place = match cases.find(row.facts.key) {
                Found::Here(place) => Some(place),
                _ => None,
            };
            let known = place.map(|place| *cases.at(place));
            effects.clear();
            let version = RowVersion::new(Offset((range.start + index) as u64), 0);
            let (case, _) = apply(known.as_ref(), &row.facts, version, &*bench.rules, effects);
            match place {
                Some(place) => cases.replace(place, case),
                None => cases.insert(case),
            }
        }
    });

    // One block of the whole corpus: its seal is part of the last piece.
    let block = || JournalBlock::new(bench.stream(), bench.shared.names.clone());
    measure(&mut group, "encode", ready.len(), block, |block, range| {
        for (index, row) in ready[range.clone()].iter().enumerate() {
            let position =
                Position { offset: Offset((range.start + index) as u64), item: 0, items: 1, kafka_time: START * 1000 };
            let told = Told {
                event: row.facts.event,
                event_at: Some(row.facts.at),
                case_key: row.facts.key,
                case_id: &row.texts.case_id,
                effects: &row.effects,
                before: row.before,
                text: &row.texts.text,
                masked: &[],
                place: &row.texts.place,
                latitude: row.texts.latitude,
                longitude: row.texts.longitude,
                reading: row.texts.reading,
                answer: &row.texts.answer,
                subject: row.facts.subject,
                extra: &row.texts.extra,
            };
            let fate = Fate { outcome: row.fate.0, reason: row.fate.1, field: "", excerpt: b"" };
            block.push(position, fate, &told, Some(&row.case));
        }
        if range.end == ready.len() {
            black_box(block.seal(START * 1000, RulesVersion(1)));
        }
    });

    // What the worker does with a chunk; an iteration is a record still, because pieces end at the ends of chunks.
    let chunks = bench.chunks();
    let now = Time::from_unix_seconds(START + MONTH).expect("in range");
    measure(
        &mut group,
        "process",
        records.len(),
        || bench.fold(),
        |fold, range| {
            let wanted = range.start as u64..range.end as u64;
            let mut at = range.start;
            while at < range.end {
                let progress = fold.process(&chunks[at / CHUNK], at % CHUNK, wanted.clone(), now);
                assert_eq!(progress, Progress::Done);
                at = (at / CHUNK + 1) * CHUNK;
            }
            if range.end == records.len() {
                black_box(fold.seal(START * 1000, RulesVersion(1)));
            }
        },
    );
    group.finish();
}

fn all(criterion: &mut Criterion) {
    for source in ["pos", "incident"] {
        kernel(criterion, source);
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
