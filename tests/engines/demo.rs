//! The built binary's `demo` without a terminal: it ends by itself, its books are even, and it leaves nothing behind.
//! Needs the engine scripts (`make test` sets TSUR_ENGINE_SCRIPTS); without them every test says so and passes.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

/// A demo in a folder of its own, with the ClickHouse of the test run or one that it starts itself.
fn demo(local: &Path, url: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tsur"));
    command.arg("demo").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    command
        .env_remove("TSUR_CLICKHOUSE_URL")
        .env_remove("TSUR_KAFKA")
        .env_remove("RUST_LOG")
        .env("TSUR_LOCAL_DIR", local);
    if let Some(url) = url {
        command.env("TSUR_CLICKHOUSE_URL", url);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn has_engines(test: &str) -> bool {
    let has = std::env::var_os("TSUR_ENGINE_SCRIPTS").is_some();
    if !has {
        eprintln!("skipped {test}: TSUR_ENGINE_SCRIPTS is not set");
    }
    has
}

/// Command lines of all processes that mention the folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    processes
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&folder))
        .collect()
}

fn assert_sound(output: &Output, local: &Path) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    let even = out.lines().find(|line| line.starts_with("учёт сошёлся: ")).unwrap_or_else(|| panic!("{out}\n{err}"));
    let numbers: Vec<String> =
        even.split('=').map(|side| side.chars().filter(char::is_ascii_digit).collect()).collect();
    assert_eq!(numbers[0], numbers[1], "{even}");
    assert!(!out.contains('\u{1b}'), "control codes in a pipe");
    assert!(out.contains("SELECT * FROM v_accounting"), "{out}");
    assert_eq!(processes_of(local), Vec::<String>::new());
    assert!(!local.join("demo").exists(), "the folder is gone");
}

fn wait_within(mut child: Child, limit: Duration) -> Output {
    let deadline = Instant::now() + limit;
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("killed");
            panic!("the demo did not end: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.wait_with_output().expect("an output")
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
}

fn wait_for_file(path: &Path) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !path.exists() {
        assert!(Instant::now() < deadline, "{} did not come", path.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_demo_ends_by_itself_with_even_books_and_leaves_nothing() {
    if !has_engines("a_demo_ends_by_itself") {
        return;
    }
    let local = tempfile::tempdir().expect("a folder");
    let child = demo(local.path(), None, &["--for", "15s", "--records", "5000"]).spawn().expect("started");
    let output = wait_within(child, Duration::from_secs(120));
    assert_sound(&output, local.path());
    let lines = String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains(" записей ")).count();
    assert!(lines >= 5, "a line a second: {}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_given_clickhouse_is_left_as_it_was_and_another_producer_is_welcome() {
    let Ok(url) = std::env::var("TSUR_CLICKHOUSE_URL") else {
        eprintln!("skipped a_given_clickhouse: TSUR_CLICKHOUSE_URL is not set");
        return;
    };
    let ask = |sql: &str| {
        let asked = Command::new("curl").args(["-sS", "--noproxy", "*", &url, "-d", sql]).output().expect("curl");
        String::from_utf8_lossy(&asked.stdout).trim().to_owned()
    };
    let local = tempfile::tempdir().expect("a folder");
    let mut child = demo(local.path(), Some(&url), &["--records", "2000"]).spawn().expect("started");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut seen = String::new();
    out.read_line(&mut seen).expect("a line");
    let address = seen.strip_prefix("Kafka ").and_then(|rest| rest.split(' ').next()).expect("an address").to_owned();
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", &address).create().expect("a producer");
    let foreign = r#"{"Номер":"7","Статус":"from elsewhere"}"#;
    for _ in 0..5 {
        producer.send(BaseRecord::to("tsur.in.pos").key("7").payload(foreign)).expect("queued");
    }
    producer.flush(Duration::from_secs(10)).expect("published");
    let letters = "SELECT count() FROM tsur_demo.v_dead_letters WHERE excerpt = 'from elsewhere'";
    let deadline = Instant::now() + Duration::from_secs(30);
    while ask(letters) != "5" {
        assert!(Instant::now() < deadline, "{}", ask(letters));
        std::thread::sleep(Duration::from_millis(200));
    }
    signal(&child, "-TERM");
    out.read_to_string(&mut seen).expect("the rest");
    let mut output = wait_within(child, Duration::from_secs(60));
    output.stdout = seen.into_bytes();
    assert_sound(&output, local.path());
    assert_eq!(ask("EXISTS DATABASE tsur_demo"), "0");
}

#[test]
fn a_demo_that_is_killed_takes_its_server_with_it() {
    if !has_engines("a_demo_that_is_killed") {
        return;
    }
    let local = tempfile::tempdir().expect("a folder");
    let mut child = demo(local.path(), None, &["--records", "500"]).spawn().expect("started");
    wait_for_file(&local.path().join("demo/clickhouse/pid"));
    child.kill().expect("killed");
    child.wait().expect("ended");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !processes_of(local.path()).is_empty() {
        assert!(Instant::now() < deadline, "{:?}", processes_of(local.path()));
        std::thread::sleep(Duration::from_millis(100));
    }
}
