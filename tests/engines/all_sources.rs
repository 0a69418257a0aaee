//! Every shipped source at once, from the generator through Kafka into ClickHouse.

use crate::support::{Installation, text};

#[tokio::test]
async fn generated_records_of_all_five_sources_are_accounted_and_end_as_the_ledger_says() {
    let Some(installation) = Installation::new("all_sources") else { return };
    let ledger = installation.folder.path().join("ledger.json");
    let ledger = ledger.to_str().expect("a plain path");
    let day = |ago: i64| (chrono::Utc::now() - chrono::TimeDelta::days(ago)).format("%Y-%m-%d").to_string();
    let (from, to) = (day(34), day(4));
    let arguments = ["generate", "--channels", "--records", "6000", "--seed", "21", "--publish", "--ledger", ledger];
    let published = installation.tsur(&[&arguments[..], &["--from", &from, "--to", &to]].concat());
    assert!(published.status.success(), "{}", text(&published));
    installation.run_until_idle();
    installation.audit();
    let ledger: tsur::generate::Ledger = serde_json::from_str(&installation.read("ledger.json")).expect("a ledger");
    for source in tsur::generate::SourceKind::ALL {
        let (code, share) = (source.code(), ledger.of(source));
        let count = async |what: &str| installation.number(&what.replace("SOURCE", code)).await;
        let rows = count("SELECT count() FROM events WHERE source = 'SOURCE'").await;
        let rejected = count("SELECT countIf(outcome = 'rejected') FROM events WHERE source = 'SOURCE'").await;
        let cases = count("SELECT count() FROM v_cases WHERE source = 'SOURCE'").await;
        assert!(cases > 20, "{code} has {cases} cases");
        assert_eq!(
            (rows, rejected, cases),
            (share.records as i64, share.broken.total() as i64, share.cases as i64),
            "{code}"
        );
    }
    let coarse = "SELECT countIf(abs(latitude * 100 - round(latitude * 100)) > 0.01) FROM events WHERE source = 's112'";
    assert_eq!(installation.number(coarse).await, 0, "places of 112 are kept to a kilometre");
}
