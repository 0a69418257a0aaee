//! What understanding one text costs, stage by stage: a text of about 1 KB with everything warm, as in a running worker.
//! Owner: `make bench`; needs no engine. Each iteration is one text.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tsur::enrich::classify::score::Reader;
use tsur::text::{Tokens, Words, tokenize};

/// A complaint of the usual length, made up.
const TEXT: &str = "Здравствуйте! Прошу принять меры: во дворе дома 12 по улице Новоселов второй месяц не вывозят мусор, \
    контейнеры переполнены, собаки растаскивают отходы по детской площадке. Обращались в управляющую компанию, обещали \
    решить вопрос в течение недели, но до сих пор ничего не сделано. Подъезд не убирается, лифт работает через раз, в \
    квартирах на верхних этажах холодно, батареи едва теплые. Когда наконец наведут порядок? Просим провести проверку и \
    сообщить сроки устранения нарушений. Жители дома надеются на вашу помощь, терпение уже на исходе.";

fn tokens(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("text");
    group.throughput(Throughput::Bytes(TEXT.len() as u64));
    let (mut words, mut tokens) = (Words::new(), Tokens::new());
    group.bench_function("tokens", |bencher| {
        bencher.iter(|| {
            tokenize(black_box(TEXT), &mut words, &mut tokens);
            black_box(tokens.len())
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

criterion_group!(benches, tokens, classification);
criterion_main!(benches);
