//! Tests of `reader.rs`.

use super::*;

fn mistakes(text: &str, read: impl FnOnce(&Table)) -> Vec<String> {
    let errors = Errors::default();
    Document::read("t.toml", text, &errors, read);
    errors.into_result().err().map_or_else(Vec::new, |list| list.0.iter().map(ToString::to_string).collect())
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let found = mistakes("[batch]\nmax_row = 5\nzzzzz = 1\n", |root| {
        root.table("batch").integer::<u32>("max_rows", 1..=9);
    });
    assert_eq!(
        found,
        [
            "t.toml:2: batch.max_row: unknown key; did you mean \"max_rows\"? (allowed: max_rows)",
            "t.toml:3: batch.zzzzz: unknown key (allowed: max_rows)",
        ]
    );
}

#[test]
fn a_wrong_value_says_what_is_allowed_and_reading_goes_on() {
    let found = mistakes("a = 50\nb = \"x\"\nc = \"5parsecs\"\nd = [1]\ne = \"jsn\"\nf = 1.5\n", |root| {
        root.integer::<u8>("a", 1..=9);
        root.boolean("b");
        root.duration("c", Duration::from_millis(200)..=Duration::from_secs(1));
        root.texts("d");
        root.choice("e", &[("text", 0), ("json", 1)]);
        root.number("f", 0.0..=1.0);
        root.require_text("g");
    });
    assert_eq!(
        found,
        [
            "t.toml:1: a: 50 is out of range (allowed: a whole number from 1 to 9)",
            "t.toml:1: g: is missing (allowed: a text that is not empty)",
            "t.toml:2: b: is a text (allowed: true | false)",
            "t.toml:3: c: \"5parsecs\" has no meaning here (allowed: a time like \"500ms\", \"1s\", \"5m\", \"3h\", \"90d\", from 200ms to 1s)",
            "t.toml:4: d[0]: is a whole number (allowed: a text in quotes)",
            "t.toml:5: e: \"jsn\" is not a word of this list; did you mean \"json\"? (allowed: text | json)",
            "t.toml:6: f: 1.5 is out of range (allowed: a number from 0.0 to 1.0)",
        ]
    );
}

#[test]
fn a_broken_line_is_one_mistake_and_the_rest_is_still_read() {
    let found = mistakes("a = = 5\nb = 50\n", |root| {
        root.integer::<u8>("a", 1..=9);
        root.integer::<u8>("b", 1..=9);
        root.require_text("c");
    });
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("t.toml:1: not TOML: "), "{found:#?}");
    assert!(found[1].starts_with("t.toml:2: b: 50"), "{found:#?}");
}

#[test]
fn a_key_written_twice_is_refused_with_the_line_of_the_second() {
    let found = mistakes("a = 1\na = 2\n", |root| {
        root.integer::<u8>("a", 1..=9);
    });
    assert_eq!(found, ["t.toml:2: not TOML: duplicate key (allowed: TOML, see https://toml.io)"]);
}

#[test]
fn free_keys_come_in_the_order_of_the_file() {
    let found = mistakes("[s]\n\"Я\" = 1\n\"А\" = 2\n[[t]]\nx = 1\n[[t]]\ny = 1\n", |root| {
        let keys: Vec<String> = root.table("s").entries().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["Я", "А"]);
        for table in root.tables("t") {
            table.integer::<u8>("x", 1..=9);
        }
    });
    assert_eq!(found, ["t.toml:7: t[1].y: unknown key (allowed: x)"]);
}
