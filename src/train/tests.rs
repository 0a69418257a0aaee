//! A training from made-up texts to the file and back.

use super::corpus::CorpusBuilder;
use super::fit::{Recipe, fit};
use super::learn::learn;
use crate::config::lexicon::LexiconSpec;
use crate::config::reference::{Block, Reference};
use crate::enrich::classify::lexicon::Lexicon;
use crate::enrich::classify::model_file::{Header, ModelFileError, decode, encode};
use crate::enrich::classify::score::{Nobody, Reader};
use crate::text::{Tokens, Words, tokenize};

fn reference() -> Reference {
    let block = |code: &str| Block { code: code.to_owned(), name: code.to_owned(), order: 1, aliases: Vec::new() };
    Reference { blocks: vec![block("a"), block("b"), block("c")], ..Reference::default() }
}

fn lexicon() -> Lexicon {
    Lexicon::build(&LexiconSpec::default(), 3, &[])
}

/// Two blocks with words of their own and words in common; nobody ever spoke of the third.
fn corpus() -> super::corpus::Corpus {
    let mut builder = CorpusBuilder::default();
    let own = [["дорога", "асфальт", "яма", "светофор"], ["кабинет", "терапевт", "лекарство", "талон"]];
    for number in 0..120usize {
        let block = number % 2;
        let words = own[block];
        let text = format!(
            "Здравствуйте, {} и {} на улице номер {}, {} просим помочь",
            words[number / 2 % 4],
            words[number / 8 % 4],
            ["раз", "два", "три"][number / 32 % 3],
            words[number / 2 % 3]
        );
        builder.add(format!("{text} {}", "очень ".repeat(number % 5)), block as u8);
    }
    builder.build(&lexicon())
}

#[test]
fn a_model_reads_a_text_as_its_training_did() {
    let corpus = corpus();
    let lexicon = lexicon();
    let all: Vec<u32> = (0..corpus.texts.len() as u32).collect();
    let recipe = Recipe::default();
    let model = fit(&corpus.extract, &all, &corpus.labels, lexicon.slots(), &recipe);
    let vocabulary = corpus.extract.vocabulary(&all, &recipe.keep);
    let (mut words, mut tokens, mut reader) = (Words::new(), Tokens::new(), Reader::new());
    for document in 0..corpus.texts.len() {
        tokenize(&corpus.texts[document], &mut words, &mut tokens);
        reader.read(&tokens, &words, &lexicon, Some(&model), &mut Nobody);
        let read = model.margins(&reader.sums)[0];
        let row = corpus.extract.row(document, &vocabulary, lexicon.slots(), recipe.loudness);
        let features = model.features();
        let mut taught = model.bias[0];
        for (column, value) in row {
            if let Some(feature) = features.get(column as usize) {
                taught += value * feature.scale * f32::from(feature.weights[0]);
            }
        }
        assert!((read - taught).abs() < 1e-3, "{}: {read} {taught}", corpus.texts[document]);
    }
}

#[test]
fn what_was_taught_is_answered_and_the_same_seed_gives_the_same_file() {
    let (corpus, reference, lexicon) = (corpus(), reference(), lexicon());
    let bytes = |threads| {
        let mut recipe = Recipe::default();
        recipe.solver.threads = threads;
        let learned = learn(&corpus, &lexicon, &reference, &recipe, 5, 0.4, |_| ());
        let measures = learned.measures.as_ref().expect("folds were asked for");
        assert!(measures.accuracy > 0.99, "{measures}");
        encode(&learned.model, header(), &reference).expect("in memory")
    };
    assert_eq!(bytes(1), bytes(2));
}

#[test]
fn a_file_gives_the_model_back_and_a_damaged_one_is_refused() {
    let (corpus, reference, lexicon) = (corpus(), reference(), lexicon());
    let learned = learn(&corpus, &lexicon, &reference, &Recipe::default(), 0, 0.4, |_| ());
    let bytes = encode(&learned.model, header(), &reference).expect("in memory");
    let (model, header) = decode(&bytes, &reference).expect("sound");
    assert_eq!(model, learned.model);
    assert_eq!(header.classes, ["a", "b"]);

    let mut broken = bytes.clone();
    *broken.last_mut().expect("not empty") ^= 1;
    assert_eq!(decode(&broken, &reference).expect_err("changed"), ModelFileError::Damaged);
    assert_eq!(decode(&bytes[..bytes.len() - 5], &reference).expect_err("half"), ModelFileError::Damaged);
    assert_eq!(decode(b"text", &reference).expect_err("no model"), ModelFileError::NotAModel);
    let text = String::from_utf8_lossy(&bytes[..200]).replace("\"format\":1", "\"format\":9");
    let newer = [text.lines().take(2).collect::<Vec<_>>().join("\n"), "\"}\n".to_owned()].concat();
    assert!(matches!(
        decode(newer.as_bytes(), &reference),
        Err(ModelFileError::Header(_) | ModelFileError::Version { .. })
    ));
    let mut fewer = reference.clone();
    fewer.blocks.remove(0);
    assert_eq!(decode(&bytes, &fewer).expect_err("gone"), ModelFileError::UnknownBlock("a".to_owned()));
}

#[test]
fn a_repeated_text_stands_once_with_the_label_most_of_its_copies_have() {
    let mut builder = CorpusBuilder::default();
    for (text, label) in [("Яма на дороге!", 1), ("яма на дороге", 0), ("ЯМА, на дороге", 0), ("другой текст", 2)]
    {
        builder.add(text.to_owned(), label);
    }
    let corpus = builder.build(&lexicon());
    assert_eq!((corpus.labels, corpus.repeated), (vec![0, 2], 2));
}

fn header() -> Header {
    Header {
        format: 0,
        features: 0,
        tsur: "0".to_owned(),
        day: "2026-01-01".to_owned(),
        seed: 1,
        texts: 0,
        repeated: 0,
        classes: Vec::new(),
        slots: Vec::new(),
        lexicon: String::new(),
        masker: 1,
        sharpness: 0.0,
        lexicon_share: 0.0,
        threshold: 0.0,
        metrics: serde_json::Value::Null,
        weights: 0,
        sha256: String::new(),
    }
}
