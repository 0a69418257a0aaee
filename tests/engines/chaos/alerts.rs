//! Alerts in the recount. The terms of the run are a minute, so that clocks near and miss their due times while things break.
//! Owner: the run. Invariants: what must fire follows from the generator's ledger and the term written here, not from the
//! pipeline; only that a case had an interim answer, which the ledger does not keep, is asked of the table of cases.

use std::collections::{HashMap, HashSet};

use tsur::generate::{Ledger, SourceKind};

use super::recount::Recount;
use crate::alerts::topic_states;
use crate::support::Installation;

/// The first answer to a message in a social network, in seconds.
const TERM: u32 = 60;
/// Levels of the run, and the second after the registration at which each is reached.
const LEVELS: [(&str, u32); 3] = [("second", TERM * 2 / 100), ("tenth", TERM / 10), ("breach", TERM + 1)];

/// Gives an installation the terms and the ladder of the run.
pub fn shorten_terms(installation: &Installation) {
    let policies = "pipelines/policies/ryazan.toml";
    for (hours, clock) in [(4, "first_answer"), (8, "first_answer")] {
        let from = format!("clock = \"{clock}\"\ngoal = {hours}\nunit = \"hours\"");
        installation.edit(policies, &from, &format!("clock = \"{clock}\"\ngoal = 1\nunit = \"minutes\""));
    }
    let level = |name: &str, moment: &str| {
        format!("[[level]]\nname = \"{name}\"\n{moment}\nto = \"body\"\nclocks = [\"first_answer\"]\n")
    };
    let ladder = [level("second", "percent = 2"), level("tenth", "percent = 10"), level("breach", "hours_after = 0")];
    std::fs::create_dir_all(installation.folder.path().join("pipelines/alerts")).expect("a folder");
    installation.write("pipelines/alerts/ladder.toml", &ladder.concat());
}

/// Every level that a running clock had reached at `cut` is one firing alert, and no clock that stopped has one.
pub async fn compare(recount: &mut Recount, installation: &Installation, ledger: &Ledger, cut: u32) {
    let running = running(installation, ledger).await;
    type Row = (String, String, String, u32, String);
    let sql = "SELECT alert_id, case_id, toString(level), toUInt32(due), toString(state) FROM alerts FINAL";
    let rows: Vec<Row> = installation.client().query(sql).fetch_all().await.expect("alerts");
    let in_topic = topic_states(installation);
    let mut firing: HashSet<(&str, &str)> = HashSet::new();
    let mut seen: HashMap<(&str, &str, u32), u32> = HashMap::new();
    for (id, case_id, level, due, state) in &rows {
        *seen.entry((case_id, level, *due)).or_default() += 1;
        if !in_topic.contains_key(&(id.clone(), state.clone())) {
            recount
                .wrong(case_id, format!("alert {id} of case {case_id} is {state} and the Kafka topic does not say so"));
        }
        if state == "firing" {
            firing.insert((case_id, level));
            if running.get(case_id).map(|registered| registered + TERM) != Some(*due) {
                recount.wrong(case_id, format!("case {case_id}: {level} fires for {due}, and no such clock runs"));
            }
        }
    }
    for ((case_id, level, due), count) in seen {
        if count > 1 {
            recount.doubled += 1;
            recount.note(format!("case {case_id}: {level} for {due} is {count} alerts"));
        }
    }
    for (case_id, registered) in &running {
        for (level, after) in LEVELS.iter().filter(|(_, after)| registered + after <= cut) {
            recount.alerts += 1;
            if !firing.contains(&(case_id.as_str(), *level)) {
                recount.lost += 1;
                recount
                    .note(format!("case {case_id}: no alert {level}, {} s after it was due", cut - registered - after));
            }
        }
    }
    if recount.alerts == 0 {
        recount.note("no clock reached a level: the run shows nothing about alerts".to_owned());
    }
}

/// The messages whose first answer is still awaited, with the time of their registration.
async fn running(installation: &Installation, ledger: &Ledger) -> HashMap<String, u32> {
    let sql = "SELECT case_id FROM cases FINAL WHERE source = 'incident' AND toUInt32(first_answer_at) > 0";
    let answered: Vec<String> = installation.client().query(sql).fetch_all().await.expect("cases");
    let answered: HashSet<String> = answered.into_iter().collect();
    let is_open = |status: &str| {
        matches!(
            status,
            "new" | "moderation" | "coordination" | "in_work" | "approval" | "returned" | "transferred" | "extended"
        )
    };
    let incidents = ledger.cases.iter().filter(|case| case.source == SourceKind::Incident);
    incidents
        .filter(|case| is_open(&case.status) && case.registered_at > 0 && !answered.contains(&case.case_id))
        .map(|case| (case.case_id.clone(), case.registered_at))
        .collect()
}
