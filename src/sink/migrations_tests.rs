use super::*;
use crate::model::words::*;

/// The text of an `Enum8` that a words list must have in the tables.
fn enum8(words: impl Iterator<Item = (&'static str, u8)>, has_empty: bool) -> String {
    let empty = has_empty.then_some(("", 0));
    let parts: Vec<String> = empty.into_iter().chain(words).map(|(name, code)| format!("'{name}' = {code}")).collect();
    format!("Enum8({})", parts.join(", "))
}

macro_rules! enum_of {
    ($words:ident, $has_empty:literal) => {
        enum8($words::ALL.iter().map(|word| (word.name(), word.code())), $has_empty)
    };
}

/// Every line `column Enum8(…) COMMENT` of the files, however often a column occurs, in the order of the migrations.
fn enum_columns() -> Vec<(&'static str, &'static str)> {
    let lines = MIGRATIONS.iter().flat_map(|migration| migration.sql.lines());
    lines
        .filter_map(|line| {
            let line = line.trim();
            let line = line.strip_prefix("MODIFY COLUMN ").unwrap_or(line);
            let line = line.strip_prefix("ADD COLUMN IF NOT EXISTS ").unwrap_or(line);
            let (column, rest) = line.split_once(" Enum8(")?;
            let end = rest.find(')')?;
            let at = line.find("Enum8(")?;
            (!column.contains(' ')).then(|| (column, &line[at..at + "Enum8(".len() + end + 1]))
        })
        .collect()
}

/// Words are only appended: an earlier list is the beginning of the present one.
fn is_beginning(earlier: &str, words: &str) -> bool {
    earlier.strip_suffix(')').is_some_and(|beginning| words.starts_with(beginning))
}

#[test]
fn the_enums_of_the_tables_are_the_words_of_the_model() {
    let columns = enum_columns();
    let expected = [
        ("outcome", enum_of!(Outcome, false)),
        ("event", enum_of!(EventKind, true)),
        ("last_event", enum_of!(EventKind, true)),
        ("status", enum_of!(Status, true)),
        ("priority", enum_of!(Priority, true)),
        ("kind", enum_of!(MessageKind, true)),
        ("text_kind", enum_of!(MessageKind, true)),
        ("kind_by", enum_of!(Basis, true)),
        ("link", "Enum8('' = 0, 'author' = 1, 'place' = 2, 'text' = 3)".to_owned()),
        ("law", enum_of!(Law, true)),
        ("decision", enum_of!(Decision, true)),
        ("reaction", enum_of!(Reaction, true)),
        ("stage", enum_of!(Clock, true)),
        ("block_by", enum_of!(Basis, true)),
        ("territory_by", enum_of!(Placed, true)),
        ("subject", enum_of!(Subject, false)),
        ("unit", "Enum8('minute' = 1, 'hour' = 2, 'day' = 3)".to_owned()),
    ];
    for (column, words) in &expected {
        let found: Vec<&str> = columns.iter().filter(|(name, _)| name == column).map(|(_, list)| *list).collect();
        assert_eq!(found.last(), Some(&words.as_str()), "column {column}");
        assert!(found.iter().all(|list| is_beginning(list, words)), "column {column}: {found:?}");
    }
    for (column, _) in &columns {
        assert!(expected.iter().any(|(name, _)| name == column), "column {column} is compared with nothing");
    }
    let effects = format!("Tuple(kind {}", enum_of!(EffectKind, false));
    assert!(MIGRATIONS.iter().any(|migration| migration.sql.contains(&effects)));
}

#[test]
fn every_column_has_a_comment() {
    for migration in MIGRATIONS {
        let mut in_list = false;
        for line in migration.sql.lines() {
            match line {
                "(" => in_list = true,
                _ if line.starts_with(')') => in_list = false,
                _ if line.starts_with("    ADD COLUMN") || line.starts_with("    MODIFY COLUMN") => {
                    assert!(line.contains(" COMMENT '"), "{}: {line}", migration.name);
                }
                _ if in_list
                    && line.starts_with("    ")
                    && !line.starts_with("    INDEX")
                    && !line.starts_with("    --") =>
                {
                    // the subquery of a view is in parentheses too
                    let is_query = ["SELECT", "FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "UNION"]
                        .iter()
                        .any(|word| line[4..].starts_with(word));
                    assert!(is_query || line.contains(" COMMENT '"), "{}: {line}", migration.name);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn numbers_run_without_a_gap_and_stand_in_the_names() {
    for (place, migration) in MIGRATIONS.iter().enumerate() {
        assert_eq!(usize::from(migration.number), place + 1);
        assert!(migration.name.starts_with(&format!("{:04}_", migration.number)), "{}", migration.name);
    }
}

#[test]
fn every_statement_may_run_twice() {
    for migration in MIGRATIONS {
        for statement in statements::split(migration.sql) {
            let first = statement.lines().next().unwrap_or_default();
            let adds_twice =
                statement.lines().any(|line| line.contains("ADD COLUMN ") && !line.contains("IF NOT EXISTS"));
            let alters = first.starts_with("ALTER TABLE ") && !adds_twice;
            let safe = first.contains("IF NOT EXISTS")
                || first.starts_with("CREATE OR REPLACE VIEW")
                || first.starts_with("DROP ") && first.contains(" IF EXISTS ")
                || alters;
            assert!(safe, "{}: {first}", migration.name);
        }
    }
}

fn recorded(migration: &Migration) -> Recorded {
    Recorded { number: migration.number, name: migration.name.to_owned(), hash: migration.hash() }
}

#[test]
fn a_changed_migration_is_refused_by_name() {
    let mut row = recorded(&MIGRATIONS[1]);
    row.hash = "0".repeat(32);
    let error = check("tsur", MIGRATIONS, &[row]).expect_err("changed");
    assert!(error.to_string().contains("0002_cases"), "{error}");
}

#[test]
fn a_newer_database_is_refused() {
    let row = Recorded { number: 999, name: "0999_later".to_owned(), hash: String::new() };
    let error = check("tsur", MIGRATIONS, &[recorded(&MIGRATIONS[0]), row]).expect_err("newer");
    assert!(matches!(error, MigrationError::Newer { number: 999, .. }), "{error}");
}
