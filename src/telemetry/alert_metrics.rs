//! Metrics of alerts, with what they mean. Labels are bounded: levels of the ladder, outputs, reasons.
//! Invariant: as for [`super::metrics`], a name is changed here and in `tests/fixtures/metrics.txt` together.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// Alerts raised, by level.
pub const FIRED: &str = "tsur_alerts_fired_total";
/// Alerts whose cause ended.
pub const RESOLVED: &str = "tsur_alerts_resolved_total";
/// States of alerts that an output took.
pub const DELIVERED: &str = "tsur_alerts_delivered_total";
/// Failed tries of an output; each is followed by another.
pub const FAILED: &str = "tsur_alerts_failed_total";
/// Alerts that the webhook was not told at once.
pub const HELD: &str = "tsur_alerts_held_total";
/// Alerts that wait for a digest now.
pub const WAITING: &str = "tsur_alerts_waiting";
/// From the moment of the level to Kafka's confirmation.
pub const DELAY: &str = "tsur_alert_delay_seconds";

pub const ALL: [&str; 7] = [FIRED, RESOLVED, DELIVERED, FAILED, HELD, WAITING, DELAY];

pub fn describe() {
    describe_counter!(FIRED, "Alerts raised by level of the ladder");
    describe_counter!(RESOLVED, "Alerts whose cause ended");
    describe_counter!(DELIVERED, "Alerts taken by kafka, by the webhook one by one, and by the webhook in a digest");
    describe_counter!(FAILED, "Failed tries of table, kafka or webhook; each is repeated");
    describe_counter!(HELD, "Alerts held back from the webhook by reason: group, rate, quiet");
    describe_gauge!(WAITING, "Alerts that wait for a digest");
    describe_histogram!(DELAY, "Seconds from the moment of the level to Kafka's confirmation");
}

pub fn fired(level: &str) {
    counter!(FIRED, "level" => level.to_owned()).increment(1);
}

pub fn resolved(count: usize) {
    counter!(RESOLVED).increment(count as u64);
}

/// `output`: kafka, webhook or digest.
pub fn delivered(output: &'static str, count: usize) {
    counter!(DELIVERED, "output" => output).increment(count as u64);
}

pub fn digested(count: usize) {
    delivered("digest", count);
}

/// `output`: table, kafka or webhook.
pub fn failed(output: &'static str) {
    counter!(FAILED, "output" => output).increment(1);
}

pub fn held(why: &'static str) {
    counter!(HELD, "why" => why).increment(1);
}

pub fn waiting(count: usize) {
    gauge!(WAITING).set(count as f64);
}

pub fn delay(seconds: f64) {
    histogram!(DELAY).record(seconds);
}
