//! Explanations of the shipped configuration against golden files in `tests/fixtures/explain/`. Set TSUR_BLESS=1 to write
//! them anew, and read what changed before it is committed: a lawyer will.

use super::*;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn config(folder: &Path) -> Config {
    crate::config::load(folder, &|_: &str| None).unwrap_or_else(|errors| panic!("{errors}"))
}

fn explained(config: &Config, file: &str, pipeline: &str, at: &str) -> Vec<Explanation> {
    let file = project("tests/fixtures/explain").join(file);
    of_file(config, &file, pipeline, None, moment(at).expect("a time")).expect("explained")
}

fn compare(name: &str, explanations: &[Explanation]) {
    let json = serde_json::to_string_pretty(explanations).expect("json") + "\n";
    let text: Vec<String> = explanations.iter().map(Explanation::text).collect();
    for (ending, made) in [("json", json), ("txt", text.join("\n"))] {
        let golden = project("tests/fixtures/explain").join(format!("{name}.{ending}"));
        if std::env::var_os("TSUR_BLESS").is_some() {
            std::fs::write(&golden, &made).expect("written");
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(made, expected, "{}", golden.display());
    }
}

#[test]
fn an_incident_with_two_holders_is_explained_step_by_step() {
    let config = config(&project("config"));
    compare("incident", &explained(&config, "incident.jsonl", "incident", "01.02.2026 12:00"));
}

#[test]
fn an_appeal_that_was_extended_and_one_whose_term_rolled_back_are_explained() {
    let config = config(&project("config"));
    compare("appeal", &explained(&config, "appeal.jsonl", "pos", "20.01.2026 12:00"));
}

#[test]
fn a_pause_and_working_hours_are_explained_day_by_day() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = |sub: &str| {
        std::fs::create_dir_all(folder.path().join(sub)).expect("folder");
        for entry in std::fs::read_dir(project(sub)).expect("shipped") {
            let path = entry.expect("entry").path();
            if path.is_file() {
                let name = path.file_name().expect("name");
                std::fs::copy(&path, folder.path().join(sub).join(name)).expect("copied");
            }
        }
    };
    for sub in ["config", "pipelines", "pipelines/calendars", "pipelines/reference"] {
        copy(sub);
    }
    std::fs::create_dir_all(folder.path().join("pipelines/policies")).expect("folder");
    let policy = project("tests/fixtures/explain/paused_policy.toml");
    std::fs::copy(policy, folder.path().join("pipelines/policies/paused.toml")).expect("copied");
    let config = config(&folder.path().join("config"));
    compare("paused", &explained(&config, "paused.jsonl", "incident", "01.11.2025 12:00"));
}

#[test]
fn a_record_that_would_be_rejected_is_named_with_its_line() {
    let config = config(&project("config"));
    let file = tempfile::NamedTempFile::with_suffix(".jsonl").expect("a file");
    std::fs::write(file.path(), "{\"incident_id\":\"1\",\"event\":\"vanished\",\"at\":\"2026-01-06\"}\n")
        .expect("written");
    let problem = of_file(&config, file.path(), "incident", None, Time::EARLIEST).expect_err("rejected").to_string();
    assert!(problem.contains(":1: the record would be rejected: unknown_word in event"), "{problem}");
}

#[test]
fn a_line_is_explained_as_the_case_stood_after_it_and_broken_ones_beside_it_do_not_matter() {
    let config = config(&project("config"));
    let records = std::fs::read_to_string(project("tests/fixtures/explain/incident.jsonl")).expect("fixture");
    let lines: Vec<&str> = records.lines().collect();
    let file = tempfile::NamedTempFile::with_suffix(".jsonl").expect("a file");
    std::fs::write(file.path(), format!("{}\nno record\n{}\n", lines[0], lines[1..].join("\n"))).expect("written");
    let at = moment("01.02.2026 12:00").expect("a time");
    let of_line = |line| of_file(&config, file.path(), "incident", Some(line), at);
    let first = of_line(1).expect("explained");
    let last = of_line(lines.len() as u64 + 1).expect("explained");
    assert_eq!((first.len(), last.len()), (1, 1));
    assert_eq!(last, explained(&config, "incident.jsonl", "incident", "01.02.2026 12:00"));
    assert_ne!(first, last);
    let problem = of_line(2).expect_err("not a record").to_string();
    assert!(problem.contains(":2:"), "{problem}");
    let problem = of_line(99).expect_err("no such line").to_string();
    assert!(problem.contains("has no record at line 99"), "{problem}");
}
