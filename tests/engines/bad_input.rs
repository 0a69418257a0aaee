//! Poison and floods on real engines. A record that nobody can use costs one journal row and one dead letter and nothing of
//! its neighbours; a flood of them stops its partition and no other, and what is not in the journal is read again.

use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};

use crate::support::{Installation, ended, eventually, memory_mib, send_record, terminate, text};

const WAIT: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;
/// `limits.max_record_bytes` by default.
const LONGEST: usize = 20 * MIB;

fn found(number: usize, text: &str) -> Vec<u8> {
    format!(r#"{{"incident_id":"IM-{number}","event":"found","at":"2025-02-03T10:00:00+03:00","text":"{text}"}}"#)
        .into_bytes()
}

/// A sound record of exactly so many bytes.
fn long(number: usize, bytes: usize) -> Vec<u8> {
    let mut record = found(number, "");
    let text = record.len() - 2;
    record.splice(text..text, std::iter::repeat_n(b'x', bytes - record.len()));
    record
}

/// A record that is sound but for the time of its event.
fn at(time: &str) -> Vec<u8> {
    format!(r#"{{"incident_id":"IM-0","event":"found","at":{time}}}"#).into_bytes()
}

/// Poison, and the `reason:field` it is rejected with.
fn poison() -> Vec<(Vec<u8>, &'static str)> {
    let with = |text: &str| found(0, text);
    vec![
        (b"".to_vec(), "empty:"),
        (b" \t\n ".to_vec(), "empty:"),
        (b"\0\0\0".to_vec(), "invalid_json:"),
        (b"\xff\xfe{}".to_vec(), "invalid_utf8:"),
        ([&found(0, "x")[..60], b"\xd0".as_slice()].concat(), "invalid_utf8:"),
        (with("\0"), "invalid_json:"),
        (with(r"\ud800"), "invalid_json:"),
        (with(r"\udc00\ud800"), "invalid_json:"),
        (with(r"\x"), "invalid_json:"),
        ("[".repeat(MIB).into_bytes(), "invalid_json:"),
        ([r#"{"text":"#.repeat(100_000).as_bytes(), b"1"].concat(), "invalid_json:"),
        (br#"{"incident_id":1e999,"event":"found"}"#.to_vec(), "invalid_json:"),
        (br#"[{"incident_id":"IM-0"}]"#.to_vec(), "not_an_object:"),
        (b"null".to_vec(), "not_an_object:"),
        (b"{}".to_vec(), "missing:incident_id"),
        (br#"{"incident_id":["IM-0"]}"#.to_vec(), "bad_type:incident_id"),
        (br#"{"incident_id":"IM-0","incident_id":null}"#.to_vec(), "missing:incident_id"),
        (br#"{"incident_id":"IM-0"}"#.to_vec(), "missing:event"),
        (br#"{"incident_id":"IM-0","event":7}"#.to_vec(), "unknown_word:event"),
        (at("null"), "missing:at"),
        (at(r#""0000-01-01T00:00:00Z""#), "bad_time:at"),
        (at(r#""9999-12-31T23:59:59Z""#), "bad_time:at"),
        (at(r#""2100-01-01T00:00:00Z""#), "future_time:at"),
        (at("-1e308"), "bad_time:at"),
        (at("18446744073709551616"), "bad_time:at"),
        (at(r#"{"$date":0}"#), "bad_type:at"),
        (found(0, r#"","lat":"1e400","x":""#), "bad_value:lat"),
    ]
}

#[tokio::test]
async fn each_poison_record_costs_one_row_and_one_dead_letter_and_its_neighbours_are_applied() {
    let Some(installation) = Installation::new("poison") else { return };
    let topic = installation.topic("incident");
    let producer = installation.producer();
    let send = |payload: &[u8]| {
        send_record(&producer, || BaseRecord::<str, [u8]>::to(&topic).partition(0).key("k").payload(payload))
    };
    let poison = poison();
    for (number, (payload, _)) in poison.iter().enumerate() {
        send(&found(1000 + number, "до"));
        send(payload);
    }
    // records without a key, with an empty one, with headers: nothing of that is wrong
    let sound = found(1, "без ключа");
    send_record(&producer, || BaseRecord::<str, [u8]>::to(&topic).partition(0).payload(&sound));
    let sound = found(2, "пустой ключ");
    send_record(&producer, || BaseRecord::<str, [u8]>::to(&topic).partition(0).key("").payload(&sound));
    let sound = found(3, "с заголовками");
    send_record(&producer, || {
        let headers = OwnedHeaders::new().insert(Header { key: "", value: Some(&b"\xff\0"[..]) });
        let headers = headers.insert(Header { key: "none", value: None::<&[u8]> });
        BaseRecord::<str, [u8]>::to(&topic).partition(0).key("k").payload(&sound).headers(headers)
    });
    // tombstones: accounted, and neither applied nor wrong
    send_record(&producer, || BaseRecord::<str, [u8]>::to(&topic).partition(0).key("k"));
    send_record(&producer, || BaseRecord::<str, [u8]>::to(&topic).partition(0));
    send(&found(4, "после"));
    producer.flush(WAIT).expect("all records are delivered");

    installation.run_until_idle();
    installation.audit();
    let letters = "SELECT arrayStringConcat(groupArray(concat(toString(kafka_offset), ' ', reason, ':', field)), '\\n') \
                   FROM (SELECT kafka_offset, reason, field FROM v_dead_letters ORDER BY kafka_offset)";
    let expected: Vec<String> =
        poison.iter().enumerate().map(|(number, (_, reason))| format!("{} {reason}", 2 * number + 1)).collect();
    assert_eq!(installation.word(letters).await, expected.join("\n"));
    let count = |what: &str| format!("SELECT count() FROM events WHERE {what}");
    assert_eq!(installation.number(&count("outcome = 'rejected'")).await, poison.len() as i64);
    assert_eq!(
        installation.number(&count("outcome = 'applied'")).await,
        poison.len() as i64 + 4,
        "the records around it"
    );
    assert_eq!(installation.number(&count("outcome = 'ignored' AND reason = 'tombstone'")).await, 2);
    assert_eq!(
        installation.number("SELECT max(length(excerpt)) < 2000 FROM events").await,
        1,
        "dead letters stay short"
    );
}

#[tokio::test]
async fn records_of_20_mb_are_read_applied_up_to_the_limit_rejected_above_it_and_keep_to_the_budget() {
    let Some(installation) = Installation::new("huge") else { return };
    installation.add_settings("[budget]\nbytes = \"24MiB\"\n[batch]\nmax_bytes = \"4MiB\"\n");
    let mut payloads =
        vec![found(1, "до"), long(2, LONGEST), found(3, "между"), long(4, LONGEST + 1), long(5, LONGEST + 30_000)];
    payloads.extend((6..14).map(|number| long(number, LONGEST - number)));
    payloads.push(found(14, "после"));
    let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    installation.publish_into("incident", 2, &payloads);

    let mut process = installation.start(&["run"]);
    eventually("all are accounted", WAIT, async || installation.number("SELECT count() FROM events").await == 14).await;
    let peak = memory_mib(&process, "VmHWM");
    terminate(&process);
    assert_eq!(ended(&mut process).0, Some(0));
    installation.audit();
    assert_eq!(installation.number("SELECT count() FROM events WHERE outcome = 'applied'").await, 12);
    let letters = "SELECT arrayStringConcat(groupArray(concat(toString(kafka_offset), ' ', reason, ' ', excerpt)), '\\n') \
                   FROM (SELECT * FROM v_dead_letters ORDER BY kafka_offset)";
    let (first, second) = (LONGEST + 1, LONGEST + 30_000);
    assert_eq!(
        installation.word(letters).await,
        format!(
            "3 too_large {first} bytes, limits.max_record_bytes is {LONGEST}\n4 too_large {second} bytes, limits.max_record_bytes is {LONGEST}"
        )
    );
    // a record in a block, in the request and in the copies between; ten of them would be 200 MiB and more
    eprintln!("huge: {peak} MiB at the peak");
    assert!(peak < 420, "{peak} MiB at the peak");
}

#[tokio::test]
async fn a_flood_stops_its_partition_alone_says_so_everywhere_and_is_read_again_after_the_mending() {
    let Some(installation) = Installation::new("flood_one") else { return };
    installation.add_settings("[limits]\nmax_consecutive_rejects = 100\n");
    let flood: Vec<Vec<u8>> = (0..3000)
        .map(|number| {
            format!(r#"{{"incident_id":"IM-{number}","event":"appeared","at":"2025-02-03T10:00:00+03:00"}}"#)
                .into_bytes()
        })
        .collect();
    let sound: Vec<Vec<u8>> = (10_000..10_400).map(|number| found(number, "Яма")).collect();
    let flood: Vec<&[u8]> = flood.iter().map(Vec::as_slice).collect();
    let sound: Vec<&[u8]> = sound.iter().map(Vec::as_slice).collect();
    installation.publish_into("incident", 0, &flood);
    installation.publish_into("incident", 1, &sound[..200]);
    let mut process = installation.start(&["run"]);
    eventually("the partition stops", WAIT, async || installation.metric("tsur_unready", "stopped") == Some(1.0)).await;
    installation.publish_into("incident", 1, &sound[200..]);
    eventually("the other partition goes on", WAIT, async || {
        installation.number("SELECT count() FROM events WHERE outcome = 'applied'").await == 400
    })
    .await;
    let (code, reasons) = installation.http("/readyz").expect("an answer");
    assert_eq!(code, 503, "{reasons}");
    let words = [
        "incident/0: ",
        "records in a row were rejected",
        "unknown_word in column",
        "appeared",
        "v_dead_letters",
        "limits.max_consecutive_rejects",
    ];
    words.iter().for_each(|word| assert!(reasons.contains(word), "{word:?} in {reasons}"));
    terminate(&process);
    assert_eq!(ended(&mut process).0, Some(3), "the exit says that an operator is needed");
    assert!(installation.log().contains("1 partition(s) stopped and need an operator"), "and the last line why");
    let letters = installation.number("SELECT count() FROM v_dead_letters").await;
    assert!(letters < 1000, "{letters} of 3000 records went to the dead letters");

    // a start without the mending stops again
    let again = installation.tsur(&["run", "--until-idle", "2s"]);
    assert_eq!(again.status.code(), Some(3), "{}", text(&again));
    installation.edit("pipelines/incident.toml", "[event]\n", "[event]\nappeared = \"registered\"\n");
    let letters = installation.number("SELECT count() FROM v_dead_letters").await;
    installation.run_until_idle();
    installation.audit();
    assert_eq!(installation.number("SELECT count() FROM events").await, 3400, "nothing is lost");
    assert_eq!(installation.number("SELECT count() FROM v_dead_letters").await, letters, "the rest was read again");
}
