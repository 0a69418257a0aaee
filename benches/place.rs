//! What locating one text costs with everything warm, as in a running worker; tokens are made before, as all stages share them.
//! Owner: `make bench`; needs no engine. Each iteration is one text.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tsur::enrich::locate::{Atlas, Locator, Manner};
use tsur::text::{Tokens, Words, tokenize};

/// Complaints of about 1 KB, made up: one with a place, one without.
const WITH_PLACE: &str = "Здравствуйте! Прошу принять меры: г. Рязань, во дворе дома 12 по улице Новоселов второй месяц не вывозят мусор, \
    контейнеры переполнены, собаки растаскивают отходы по детской площадке. Обращались в управляющую компанию, обещали \
    решить вопрос в течение недели, но до сих пор ничего не сделано. Подъезд не убирается, лифт работает через раз, в \
    квартирах на верхних этажах холодно, батареи едва теплые. Когда наконец наведут порядок? Просим провести проверку и \
    сообщить сроки устранения нарушений. Жители дома надеются на вашу помощь, терпение уже на исходе.";
const WITHOUT: &str = "Здравствуйте! Прошу принять меры: во дворе второй месяц не вывозят мусор, \
    контейнеры переполнены, собаки растаскивают отходы по детской площадке. Обращались в управляющую компанию, обещали \
    решить вопрос в течение недели, но до сих пор ничего не сделано. Подъезд не убирается, лифт работает через раз, в \
    квартирах на верхних этажах холодно, батареи едва теплые. Когда наконец наведут порядок? Просим провести проверку и \
    сообщить сроки устранения нарушений. Жители надеются на вашу помощь, терпение уже на исходе, ждать больше нельзя.";

fn locate(criterion: &mut Criterion) {
    let config = tsur::config::load(Path::new("config"), &|_| None).expect("the shipped configuration");
    let atlas = Arc::new(Atlas::new(&config.reference));
    let mut group = criterion.benchmark_group("place");
    for (name, text) in [("with_place", WITH_PLACE), ("without", WITHOUT)] {
        let mut locator = Locator::new(atlas.clone());
        let (mut words, mut tokens) = (Words::new(), Tokens::new());
        tokenize(text, &mut words, &mut tokens);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(locator.locate(black_box(text), &tokens, &words, Manner::Text)));
        });
    }
    group.bench_function("build", |bencher| bencher.iter(|| black_box(Atlas::new(&config.reference))));
    group.finish();
}

criterion_group!(benches, locate);
criterion_main!(benches);
