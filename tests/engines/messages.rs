//! How messages are meant, what answers are worth and who should have a case, from a record to the views.

use crate::support::{Installation, text};

/// An event in the life of a request of the portal. `more`: further columns, each with a comma before it.
fn event(number: u8, event: &str, hour: u8, more: &str) -> String {
    format!(r#"{{"request_id":"ND-{number}","event":"{event}","at":"2026-02-03T{hour:02}:00:00+03:00"{more}}}"#)
}

const TEMPLATE: &str = "Ваше обращение рассмотрено специалистами отдела, указанная вами яма во дворе устранена подрядчиком, \
                        работы выполнены, благодарим за активную жизненную позицию и обращение";

#[tokio::test]
async fn thanks_are_no_complaints_and_answers_show_every_sign() {
    let Some(installation) = Installation::new("messages") else { return };
    let road = r#","category":"Дороги","municipality":"г. Касимов""#;
    let submitted =
        |number, text: &str, more: &str| event(number, "submitted", 9, &format!(r#","text":"{text}"{road}{more}"#));
    let answered = |number, text: &str| event(number, "answered", 12, &format!(r#","answer_text":"{text}""#));
    let records = [
        submitted(1, "Огромное спасибо дорожникам за новую дорогу!", ""),
        submitted(2, "Спасибо за ремонт, но дорога опять разбита", ""),
        // the source knows better
        submitted(3, "Огромное спасибо за такую дорогу!", r#","kind":"Проблема""#),
        submitted(4, "Сильно пахнет газом у дороги возле дома 5, помогите!", ""),
        submitted(5, "Добрый день", ""),
        // the second text of a case changes nothing of its kind
        event(2, "published", 10, r#","text":"Спасибо, спасибо большое""#),
        answered(2, TEMPLATE),
        answered(3, TEMPLATE),
        answered(
            4,
            "Утечку устранили 3 февраля, бригада приехала через двадцать минут, фото во вложении, запаха больше нет, \
                     спасибо вам за звонок",
        ),
        answered(5, "Обратитесь в управляющую компанию"),
        event(2, "rated", 13, r#","rating":1"#),
        event(4, "rated", 13, r#","rating":5"#),
    ];
    let records: Vec<(&str, &[u8])> = records.iter().map(|record| ("k", record.as_bytes())).collect();
    installation.publish("portal", &records);
    installation.run_until_idle();

    let kinds = "SELECT toString(groupArray((case_id, kind, kind_by, text_kind))) FROM \
                 (SELECT * , kind_by, text_kind FROM events WHERE event = 'registered' ORDER BY case_id)";
    assert_eq!(
        installation.word(kinds).await,
        "[('ND-1','thanks','text','thanks'),('ND-2','complaint','text','complaint'),('ND-3','complaint','source','thanks'),\
         ('ND-4','request','text','request'),('ND-5','','','')]"
    );
    let second = "SELECT toString((kind, kind_by, text_kind)) FROM events WHERE event = 'status_changed'";
    assert_eq!(installation.word(second).await, "('complaint','','thanks')");
    let counted = "SELECT toString((sum(messages), sum(complaints), sum(requests), sum(other), sum(thanks))) FROM v_message_kinds";
    assert_eq!(installation.word(counted).await, "(4,2,1,1,1)", "thanks stand apart");

    let urgent =
        "SELECT toString((urgency, urgency_signs, is_open, not_enough)) FROM v_messages WHERE case_id = 'ND-4'";
    assert_eq!(installation.word(urgent).await, "(2,['gas'],false,false)");
    let calm = "SELECT toString((urgency, urgency_signs, emotion, not_enough)) FROM v_messages WHERE case_id = 'ND-5'";
    assert_eq!(installation.word(calm).await, "(0,[],'calm',true)");

    let answers = "SELECT toString(groupArray((case_id, score, arraySort(signs), is_empty, same_text))) FROM (SELECT * FROM v_answers ORDER BY case_id)";
    assert_eq!(
        installation.word(answers).await,
        "[('ND-2',85,['contradiction','no_proof','template'],true,2),('ND-3',85,['no_proof','template'],false,2),\
         ('ND-4',100,[],false,1),('ND-5',50,['redirect','short'],false,1)]"
    );
    let quality = "SELECT toString((sum(answers), sum(empty), sum(template), sum(contradiction), sum(redirect))) FROM v_answer_quality";
    assert_eq!(installation.word(quality).await, "(4,1,2,1,1)");
    let routing =
        "SELECT toString((sum(cases), sum(held), sum(elsewhere), min(length(proposed)) > 0)) FROM v_routing_agreement";
    assert_eq!(installation.word(routing).await, "(5,0,0,1)");
    installation.audit();
    let deep = installation.tsur(&["audit", "--deep"]);
    assert!(deep.status.success(), "{}", text(&deep));
}
