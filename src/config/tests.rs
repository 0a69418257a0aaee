//! Tests of the whole configuration: the shipped files, and a broken one.

use super::*;

fn nothing(_: &str) -> Option<String> {
    None
}

fn shipped() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config"))
}

#[test]
fn the_shipped_configuration_has_no_mistake() {
    let config = load(shipped(), &nothing).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(config.pipeline("pos").is_some() && config.pipeline("incident").is_some());
    assert_eq!(config.settings, Settings::default());
    assert!(!config.calendars.is_empty() && !config.policies.is_empty() && !config.reference.topics.is_empty());
    assert!(!config.pipelines_dir.to_string_lossy().contains(".."));
}

/// A configuration of its own for a test: the name of each file and its text.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    folder
}

const PIPELINE: &str = "source = \"s\"\nkafka_topic = \"in.s\"\nshape = \"snapshot\"\n[fields]\ncase_id = \"id\"\n";

#[test]
fn five_different_mistakes_give_five_messages_in_one_run() {
    let broken = folder(&[
        ("config/tsur.toml", "[batch]\nmax_age = \"2s\"\n[kafka]\nbroker = \"k:9092\"\n[log]\nformat = \"jsno\"\n"),
        ("pipelines/s.toml", &PIPELINE.replace("\"id\"", "\"id\"\nteritory = \"place\"")),
        (
            "pipelines/t.toml",
            "source = \"t\"\nkafka_topic = \"in.t\"\nshape = \"event\"\n[fields]\ncase_id = \"id\"\nevent_at = \"at\"\n",
        ),
    ]);
    let errors = load(&broken.path().join("config"), &nothing).expect_err("five mistakes");
    let root = format!("{}/", broken.path().display());
    let text = errors.to_string().replace(&root, "");
    let fields: Vec<&str> = crate::model::words::Field::ALL.iter().map(|field| field.name()).collect();
    let expected = format!(
        "the configuration has 5 mistakes
  1. config/tsur.toml:2: batch.max_age: \"2s\" is out of range (allowed: a time like \"500ms\", \"1s\", \"5m\", \"3h\", \"90d\", from 200ms to 1s)
  2. config/tsur.toml:4: kafka.broker: unknown key; did you mean \"brokers\"? (allowed: brokers, group_id, instance_id, session_timeout, max_poll_interval, properties)
  3. config/tsur.toml:6: log.format: \"jsno\" is not a word of this list; did you mean \"json\"? (allowed: text | json)
  4. pipelines/s.toml:6: fields.teritory: no such field; did you mean \"territory\"? (allowed: {})
  5. pipelines/t.toml:4: fields.event: is missing: records of this shape need it (allowed: a column, a list of columns, {{ column = \"…\" }}, {{ columns = [ … ] }} or {{ value = \"…\" }})",
        fields.join(", ")
    );
    assert_eq!(text, expected);
}

#[test]
fn calendars_and_policies_report_all_their_mistakes_with_the_lines() {
    let calendar = "name = \"c\"\n[office]\nmonday = { hours = \"9-18\" }\n[[year]]\nyear = 2026\nstatus = \"sure\"\n\
                    source = \"x\"\nworking_days = 1\ndays_off = [\"13-01\"]\n";
    let policy = "[[policy]]\nname = \"Все: прочие\"\nsource_note = \"n\"\n[policy.match]\nsource = [\"q\"]\n\
                  [[policy.clock]]\nclock = \"final_answer\"\ngoal = 5\nunit = \"weeks\"\n";
    let files = folder(&[
        ("tsur.toml", "pipelines_dir = \"p\"\n"),
        ("p/a.toml", PIPELINE),
        ("p/calendars/c.toml", calendar),
        ("p/policies/1.toml", policy),
        ("p/policies/2.toml", &policy.replace("Все: прочие", "Ещё").replace("goal = 5", "gaol = 5")),
    ]);
    let errors = load(files.path(), &nothing).expect_err("mistakes");
    let text = errors.to_string();
    for start in [
        "c.toml:3: office.monday.hours: ",
        "c.toml:6: year 2026.status: ",
        "c.toml:9: year 2026.days_off: ",
        "1.toml:5: policy \"Все: прочие\".match.source: \"q\"",
        "1.toml:9: policy \"Все: прочие\".clock[1].unit: \"weeks\"",
        "2.toml:8: unknown field `gaol`",
    ] {
        assert!(text.contains(start), "{start}\n{text}");
    }
}

#[test]
fn two_pipelines_never_share_a_source_or_a_kafka_topic() {
    let both = folder(&[("tsur.toml", "pipelines_dir = \"p\"\n"), ("p/a.toml", PIPELINE), ("p/b.toml", PIPELINE)]);
    let errors = load(both.path(), &nothing).expect_err("two mistakes");
    assert_eq!(errors.0.len(), 2, "{errors}");
    assert!(errors.0.iter().all(|error| error.file.ends_with("p/b.toml")), "{errors}");
}

#[test]
fn what_is_not_there_is_named() {
    let empty = folder(&[]);
    let errors = load(&empty.path().join("config"), &nothing).expect_err("no files");
    assert_eq!(errors.0.len(), 2, "{errors}");
    let half =
        folder(&[("tsur.toml", "pipelines_dir = \"p\"\n"), ("p/a.toml", PIPELINE), ("p/reference/blocks.toml", "")]);
    let errors = load(half.path(), &nothing).expect_err("three lists missing");
    assert_eq!(errors.0.len(), 3, "{errors}");
}

#[test]
fn the_version_of_the_rules_follows_their_content_and_nothing_else() {
    let version = |settings: &str, pipeline: &str| {
        let files = folder(&[("tsur.toml", settings), ("p/a.toml", pipeline)]);
        load(files.path(), &nothing).unwrap_or_else(|errors| panic!("{errors}")).rules
    };
    let settings = "pipelines_dir = \"p\"\n";
    let first = version(settings, PIPELINE);
    assert_eq!(first, version(&format!("{settings}[log]\nlevel = \"debug\"\n"), PIPELINE));
    assert_ne!(first, version(settings, &format!("{PIPELINE}topic = \"theme\"\n")));
}
