//! The recovery table of the protocol on real engines: each row is built with a real group's offsets, a real journal and a
//! real log. What a partition does is checked by its rows, and a refusal by what it prints.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::Offset;

use crate::support::{Installation, eventually, text};

const TIMEOUT: Duration = Duration::from_secs(10);
/// Exit code of a process that was told to end while partitions were stopped.
const NEEDS_OPERATOR: Option<i32> = Some(3);
/// Records of each partition at first.
const FIRST: i64 = 40;

/// The committed offsets of the installation's group, in the topic of incidents.
struct Group {
    consumer: BaseConsumer,
    topic: String,
}

impl Group {
    fn of(installation: &Installation) -> Group {
        let mut config = installation.kafka();
        config.set("group.id", &installation.database).set("enable.auto.commit", "false");
        Group { consumer: config.create().expect("a consumer"), topic: installation.topic("incident") }
    }

    /// What an operator, or a process that died afterwards, commits.
    fn commit(&self, partition: i32, offset: i64, metadata: &str) {
        let mut list = TopicPartitionList::new();
        let mut element = list.add_partition(&self.topic, partition);
        element.set_offset(Offset::Offset(offset)).expect("an offset");
        element.set_metadata(metadata);
        // the last member leaves the group a moment after its process has ended
        let deadline = std::time::Instant::now() + TIMEOUT;
        while let Err(problem) = self.consumer.commit(&list, CommitMode::Sync) {
            assert!(std::time::Instant::now() < deadline, "{problem}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn committed(&self, partition: i32) -> (Offset, String) {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        let list = self.consumer.committed_offsets(list, TIMEOUT).expect("committed offsets");
        let element = list.find_partition(&self.topic, partition).expect("asked for");
        (element.offset(), element.metadata().to_owned())
    }
}

fn admin(installation: &Installation) -> (AdminClient<DefaultClientContext>, AdminOptions) {
    let admin = installation.kafka().create().expect("an admin client");
    (admin, AdminOptions::new().operation_timeout(Some(TIMEOUT)).request_timeout(Some(TIMEOUT)))
}

/// Sound records of cases of their own, so that each is applied: `count` cases from number `from` on.
fn cases(partition: i32, from: i64, count: i64) -> Vec<String> {
    let case = |number| {
        format!(
            r#"{{"incident_id":"IM-{partition}-{number}","event":"found","at":"2025-02-03T10:00:00+03:00","text":"Яма {number}"}}"#
        )
    };
    (from..from + count).map(case).collect()
}

fn publish_cases(installation: &Installation, partition: i32, from: i64, count: i64) {
    let records = cases(partition, from, count);
    let payloads: Vec<&[u8]> = records.iter().map(String::as_bytes).collect();
    installation.publish_into("incident", partition, &payloads);
}

/// The same number of cases in each of the four partitions, all in the journal.
fn begun(test: &str) -> Option<(Installation, Group)> {
    let installation = Installation::new(test)?;
    (0..4).for_each(|partition| publish_cases(&installation, partition, 0, FIRST));
    run(&installation, &[], Some(0));
    let group = Group::of(&installation);
    Some((installation, group))
}

/// Runs until idle and gives what was printed.
fn run(installation: &Installation, flags: &[&str], expected: Option<i32>) -> String {
    let output = installation.tsur(&[&["run", "--until-idle", "2s"], flags].concat());
    let report = text(&output);
    assert_eq!(output.status.code(), expected, "{report}");
    report
}

/// The line in which a partition says why it stopped.
fn refusal(installation: &Installation, report: &str, partition: i32) -> String {
    let name = format!("partition={}/{partition} ", installation.topic("incident"));
    let found = report.lines().find(|line| line.contains("partition stopped") && line.contains(&name));
    found.unwrap_or_else(|| panic!("{name} did not stop:\n{report}")).to_owned()
}

async fn rows(installation: &Installation, partition: i32) -> i64 {
    let topic = installation.topic("incident");
    let sql = format!("SELECT count() FROM events WHERE kafka_topic = '{topic}' AND kafka_partition = {partition}");
    installation.number(&sql).await
}

#[tokio::test]
async fn open_intents_are_replayed_and_clean_partitions_run_on_to_the_state_of_a_straight_run() {
    let Some((installation, group)) = begun("table_actions") else { return };
    let (end, more) = (FIRST, FIRST + 25);
    (0..4).for_each(|partition| publish_cases(&installation, partition, FIRST, 35));
    // 0: intent, nothing of it in the journal; 1: intent, its rows there; 2 and 3: clean, as every partition is at first
    let tick = 1_738_567_000_123_i64;
    group.commit(0, end, &format!("v1 end={more} epoch=1 rules=7 tick={tick}"));
    group.commit(1, end - 10, &format!("v1 end={end} epoch=1 rules=7 tick={tick}"));
    let report = run(&installation, &[], Some(0));
    assert_eq!(report.matches("an open intent is finished first").count(), 2, "{report}");

    let topic = installation.topic("incident");
    let replayed = format!("FROM events WHERE kafka_topic = '{topic}' AND toUnixTimestamp64Milli(sealed_at) = {tick}");
    let range = installation
        .word(&format!("SELECT concat(toString(min(kafka_offset)), '-', toString(max(kafka_offset)), ' ', toString(groupUniqArray(kafka_partition)), ' ', toString(groupUniqArray(rules = 7))) {replayed}"))
        .await;
    assert_eq!(
        range,
        format!("{end}-{} [0] [0]", more - 1),
        "exactly the intent with its tick, as one batch, under the rules that the rows were made with"
    );
    for partition in 0..4 {
        assert_eq!(rows(&installation, partition).await, FIRST + 35, "partition {partition}");
        assert_eq!(group.committed(partition), (Offset::Offset(FIRST + 35), String::new()), "nothing is left open");
    }
    installation.audit();
    let straight = installation.beside("straight");
    straight.run_until_idle();
    for sql in [crate::exactly_once::CASES, crate::exactly_once::WINDOWS] {
        assert_eq!(installation.word(sql).await, straight.word(sql).await, "the state of a straight run");
    }
}

#[tokio::test]
async fn reset_gap_and_retention_stop_their_partitions_and_each_way_out_goes_on() {
    let Some((installation, group)) = begun("table_refusals") else { return };
    (0..4).for_each(|partition| publish_cases(&installation, partition, FIRST, 30));
    group.commit(0, 10, ""); // set back
    group.commit(1, FIRST + 5, ""); // set forward
    let (admin, options) = admin(&installation);
    let mut list = TopicPartitionList::new();
    let topic = installation.topic("incident");
    list.add_partition_offset(&topic, 2, Offset::Offset(FIRST + 8)).expect("an offset"); // retention
    admin.delete_records(&list, &options).await.expect("records are deleted");

    let report = run(&installation, &[], NEEDS_OPERATOR);
    let expected = [
        (
            0,
            vec![
                "offsets were reset behind our back",
                "[10,40)",
                "--resume-from-journal",
                "set the group's offset to 40",
            ],
        ),
        (1, vec!["a gap", "[40,45)", "set the group's offset back to 40", "--accept-gap"]),
        (2, vec!["kafka no longer has records [40,48)", "restore the topic", "--accept-gap"]),
    ];
    for (partition, words) in expected {
        let line = refusal(&installation, &report, partition);
        words.iter().for_each(|word| assert!(line.contains(word), "{word:?} in {line}"));
        assert_eq!(rows(&installation, partition).await, FIRST, "nothing is guessed");
    }
    assert_eq!(rows(&installation, 3).await, FIRST + 30, "the other partition goes on");
    assert!(report.contains("3 partition(s) stopped and need an operator"), "{report}");

    run(&installation, &["--resume-from-journal"], NEEDS_OPERATOR);
    assert_eq!(rows(&installation, 0).await, FIRST + 30);
    assert_eq!(
        (rows(&installation, 1).await, rows(&installation, 2).await),
        (FIRST, FIRST),
        "a consent of another kind"
    );
    let report = run(&installation, &["--accept-gap"], Some(0));
    assert_eq!(report.matches("the range is accepted as lost").count(), 2, "{report}");
    assert_eq!((rows(&installation, 1).await, rows(&installation, 2).await), (FIRST + 25, FIRST + 22));
    let gaps = "SELECT arrayStringConcat(arraySort(groupArray(concat(toString(kafka_partition), ':', toString(begin), '-', toString(end)))), ' ') FROM accepted_gaps FINAL";
    assert_eq!(installation.word(gaps).await, "1:40-45 2:40-48");
    let audit = installation.audit();
    assert!(audit.contains("[40,45)") && audit.contains("[40,48)"), "accepted gaps are named: {audit}");
}

#[tokio::test]
async fn a_gap_accepted_at_the_end_of_the_log_is_accepted_once() {
    let Some((installation, group)) = begun("table_once") else { return };
    publish_cases(&installation, 1, FIRST, 5);
    group.commit(1, FIRST + 5, ""); // nothing follows the gap
    run(&installation, &["--accept-gap"], Some(0));
    run(&installation, &[], Some(0));
    publish_cases(&installation, 1, FIRST + 5, 5);
    run(&installation, &[], Some(0));
    assert_eq!(rows(&installation, 1).await, FIRST + 5);
    installation.audit();
}

#[tokio::test]
async fn deleted_offsets_are_not_taken_for_a_new_group() {
    let Some((installation, _)) = begun("table_expired") else { return };
    publish_cases(&installation, 0, FIRST, 5);
    let (admin, options) = admin(&installation);
    eventually("the group is empty and can be deleted", TIMEOUT, async || {
        let deleted = admin.delete_groups(&[&installation.database], &options).await.expect("an answer");
        deleted.into_iter().all(|group| group.is_ok())
    })
    .await;
    let report = run(&installation, &[], NEEDS_OPERATOR);
    for partition in 0..4 {
        let line = refusal(&installation, &report, partition);
        let words = ["the committed offset is gone", "the journal ends at 40", "--resume-from-journal", "another name"];
        words.iter().for_each(|word| assert!(line.contains(word), "{word:?} in {line}"));
    }
    run(&installation, &["--resume-from-journal"], Some(0));
    assert_eq!(rows(&installation, 0).await, FIRST + 5);
    run(&installation, &[], Some(0)); // the consent is used up: where the partitions go on is committed
    installation.audit();
}

#[tokio::test]
async fn a_recreated_topic_stops_its_partitions_with_and_without_an_intent() {
    let Some((installation, group)) = begun("table_recreated") else { return };
    let (admin, options) = admin(&installation);
    let topic = installation.topic("incident");
    admin.delete_topics(&[&topic], &options).await.expect("deleted");
    eventually("the topic can be created again", TIMEOUT, async || {
        let again = NewTopic::new(&topic, 4, TopicReplication::Fixed(1));
        admin.create_topics(&[again], &options).await.is_ok_and(|made| made.into_iter().all(|topic| topic.is_ok()))
    })
    .await;
    (0..4).for_each(|partition| publish_cases(&installation, partition, 500, 20));
    group.commit(0, 10, "v1 end=40 epoch=1 rules=7 tick=1738567000123");
    (1..4).for_each(|partition| group.commit(partition, FIRST, ""));
    let report = run(&installation, &[], NEEDS_OPERATOR);
    for partition in 0..4 {
        let line = refusal(&installation, &report, partition);
        let words = ["kafka ends at 20, before 40", "recreated or truncated", "restore it", "another name"];
        words.iter().for_each(|word| assert!(line.contains(word), "{word:?} in {line}"));
        assert_eq!(rows(&installation, partition).await, FIRST);
    }
}

#[tokio::test]
async fn an_intent_that_the_journal_contradicts_or_nobody_knows_is_not_obeyed() {
    let Some((installation, group)) = begun("table_intents") else { return };
    (0..4).for_each(|partition| publish_cases(&installation, partition, FIRST, 30));
    group.commit(0, 10, "v1 end=20 epoch=1 rules=7 tick=1738567000123"); // the journal goes beyond it
    group.commit(1, 30, "v1 end=50 epoch=1 rules=7 tick=1738567000123"); // the journal ends inside it
    group.commit(2, FIRST, "v1 end=50 epoch=2 rules=7 tick=1738567000123");
    group.commit(3, FIRST, "checkpoint 17");
    let report = run(&installation, &[], NEEDS_OPERATOR);
    let expected = [
        (
            0,
            vec![
                "contradict each other",
                "[10,20)",
                "the journal ends at 40",
                "--resume-from-journal",
                "set the group's offset to 40",
            ],
        ),
        (1, vec!["contradict each other", "[30,50)", "the journal ends at 40", "--resume-from-journal"]),
        (2, vec!["belongs to stream epoch 2", "says 1", "set the epoch back", "new consumer group"]),
        (3, vec!["is not understood", "checkpoint 17", "run the version that wrote it", "without metadata"]),
    ];
    for (partition, words) in expected {
        let line = refusal(&installation, &report, partition);
        words.iter().for_each(|word| assert!(line.contains(word), "{word:?} in {line}"));
        assert_eq!(rows(&installation, partition).await, FIRST);
    }
    run(&installation, &["--resume-from-journal"], NEEDS_OPERATOR);
    assert_eq!((rows(&installation, 0).await, rows(&installation, 1).await), (FIRST + 30, FIRST + 30));
    assert_eq!((rows(&installation, 2).await, rows(&installation, 3).await), (FIRST, FIRST));
    (2..4).for_each(|partition| group.commit(partition, FIRST, "")); // the way out by hand
    run(&installation, &[], Some(0));
    assert_eq!((rows(&installation, 2).await, rows(&installation, 3).await), (FIRST + 30, FIRST + 30));
    installation.audit();
}

#[tokio::test]
async fn rows_that_the_server_lost_after_it_had_noted_their_token_are_written_again_and_reach_cases() {
    let Some((installation, group)) = begun("table_torn") else { return };
    let topic = installation.topic("incident");
    for partition in [0, 1] {
        let of_partition = format!("kafka_topic = '{topic}' AND kafka_partition = {partition}");
        let batch = "concat(toString(min(kafka_offset)), ' ', toString(max(kafka_offset) + 1), ' ', toString(toUnixTimestamp64Milli(sealed_at)))";
        let last = format!(
            "SELECT {batch} FROM events WHERE {of_partition} GROUP BY sealed_at ORDER BY sealed_at DESC LIMIT 1"
        );
        let last = installation.word(&last).await;
        let [begin, end, tick] = last.split(' ').collect::<Vec<_>>()[..] else { panic!("{last}") };
        group.commit(
            partition,
            begin.parse().expect("an offset"),
            &format!("v1 end={end} epoch=1 rules=7 tick={tick}"),
        );
        // what a server that is killed between the note and the part leaves; a deletion keeps the tokens as well
        if partition == 0 {
            delete(&installation, &format!("ALTER TABLE events DELETE WHERE {of_partition} AND kafka_offset >= {begin} SETTINGS mutations_sync = 2")).await;
        }
        delete(&installation, &format!("ALTER TABLE cases DELETE WHERE {of_partition} AND version >= bitShiftLeft({begin}, 16) SETTINGS mutations_sync = 2")).await;
    }
    assert!(rows(&installation, 0).await < FIRST && rows(&installation, 1).await == FIRST);

    let report = run(&installation, &[], Some(0));
    assert!(report.contains("its rows are not there; they go out under another"), "{report}");
    for partition in 0..4 {
        assert_eq!(rows(&installation, partition).await, FIRST, "partition {partition}");
    }
    installation.audit();
    let deep = installation.tsur(&["audit", "--deep"]);
    assert!(deep.status.success(), "{}", text(&deep));
}

async fn delete(installation: &Installation, sql: &str) {
    installation.client().query_raw(sql).execute().await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
}
