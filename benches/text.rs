//! What understanding one text costs, stage by stage: a text of about 1 KB with everything warm, as in a running worker.
//! Owner: `make bench`; needs no engine. Each iteration is one text.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tsur::enrich::answer::{AnswerFacts, AnswerReader};
use tsur::enrich::classify::score::Reader;
use tsur::enrich::enricher::{Enricher, TextBooks};
use tsur::enrich::mask::Masker;
use tsur::enrich::repeats::Fingerprinter;
use tsur::enrich::tone::ToneReader;
use tsur::text::{Tokens, Words, tokenize};

/// A complaint of the usual length, made up.
const TEXT: &str = "Здравствуйте! Прошу принять меры: во дворе дома 12 по улице Новоселов второй месяц не вывозят мусор, \
    контейнеры переполнены, собаки растаскивают отходы по детской площадке. Обращались в управляющую компанию, обещали \
    решить вопрос в течение недели, но до сих пор ничего не сделано. Подъезд не убирается, лифт работает через раз, в \
    квартирах на верхних этажах холодно, батареи едва теплые. Когда наконец наведут порядок? Просим провести проверку и \
    сообщить сроки устранения нарушений. Жители дома надеются на вашу помощь, терпение уже на исходе.";

/// The same with a person, so that the masker has work.
fn with_a_person() -> String {
    TEXT.replace("Жители дома", "Иванова Мария Петровна, кв. 12, тел. 8 910 123-45-67. Жители дома")
}

fn books() -> TextBooks {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let config = tsur::config::load(&root, &|_| None).expect("the shipped configuration is sound");
    TextBooks::build(&config.reference.texts).expect("sound phrases")
}

fn stages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("text");
    group.throughput(Throughput::Bytes(TEXT.len() as u64));
    let books = books();
    let (mut words, mut tokens) = (Words::new(), Tokens::new());
    group.bench_function("tokens", |bencher| {
        bencher.iter(|| {
            tokenize(black_box(TEXT), &mut words, &mut tokens);
            black_box(tokens.len())
        });
    });
    let mut masker = Masker::new(books.persons.clone());
    group.bench_function("mask", |bencher| bencher.iter(|| black_box(masker.find(TEXT, &words, &tokens).len())));
    let mut tone = ToneReader::new(books.tone.clone());
    group.bench_function("tone", |bencher| bencher.iter(|| black_box(tone.read(&words, &tokens))));
    let mut answers = AnswerReader::new(books.answers.clone());
    group.bench_function("answer", |bencher| {
        bencher.iter(|| black_box(answers.read(&words, &tokens, AnswerFacts::default())));
    });
    let mut fingerprints = Fingerprinter::default();
    group.bench_function("fingerprint", |bencher| bencher.iter(|| black_box(fingerprints.read(&words, &tokens))));
    let (mut enricher, mut out, personal) = (Enricher::new(&books), Vec::new(), with_a_person());
    group.bench_function("message", |bencher| {
        bencher.iter(|| {
            out.clear();
            black_box(enricher.message(black_box(&personal), &mut out))
        });
    });
    group.finish();
}

/// By the shipped lexicon; the tokens are there already.
fn classification(criterion: &mut Criterion) {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config"));
    let config = tsur::config::load(folder, &|_| None).expect("the shipped configuration is sound");
    let classifier = config.classifier();
    let mut group = criterion.benchmark_group("text");
    group.throughput(Throughput::Bytes(TEXT.len() as u64));
    let (mut words, mut tokens, mut reader) = (Words::new(), Tokens::new(), Reader::new());
    tokenize(TEXT, &mut words, &mut tokens);
    group.bench_function("classification", |bencher| {
        bencher.iter(|| black_box(classifier.classify(black_box(&tokens), &words, &mut reader)));
    });
    group.finish();
}

criterion_group!(benches, stages, classification);
criterion_main!(benches);
