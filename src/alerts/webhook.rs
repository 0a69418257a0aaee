//! Calls of Alertmanager's `POST /api/v2/alerts`, or of anything that takes the same JSON.
//! Owner: the webhook task. Invariants: a call ends within its time-out; only an answer of 2xx counts as taken.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hyper_tls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use thiserror::Error;

use crate::alerts::digest::DigestRow;
use crate::alerts::notice::AlertRow;
use crate::alerts::russian::iso;

/// Alertmanager forgets an alert without an end after some minutes; ours end when their cause does.
const FIRES_AT_MOST_MILLIS: i64 = 366 * 86_400_000;
/// Answers that say something about the alerts and not about the server or the address.
const CONTENT: [StatusCode; 3] =
    [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNPROCESSABLE_ENTITY];
const CONNECT: Duration = Duration::from_secs(3);

/// A digest is news and not a state: it ends by itself.
const DIGEST_FIRES_MILLIS: i64 = 3_600_000;

#[derive(Debug, Error)]
pub enum WebhookError {
    #[error("the webhook gave no answer within {0:?}")]
    Late(Duration),
    #[error("the webhook cannot be reached: {0}")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    /// Tried again, as those above.
    #[error("the webhook answered {0}")]
    Refused(StatusCode),
    /// The same alerts would be refused again.
    #[error("the webhook refuses the content: {0}")]
    Content(StatusCode),
    #[error("alerts.webhook_url is no address: {0}")]
    Request(#[from] axum::http::Error),
}

pub struct Webhook {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    url: String,
    timeout: Duration,
}

impl Webhook {
    pub fn new(url: &str, timeout: Duration) -> Webhook {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.enforce_http(false); // https comes through the connector around it
        let connector = HttpsConnector::new_with_connector(connector);
        Webhook { client: Client::builder(TokioExecutor::new()).build(connector), url: url.to_owned(), timeout }
    }

    /// One call with all alerts.
    pub async fn post(&self, alerts: &[Value]) -> Result<(), WebhookError> {
        let request = Request::post(&self.url)
            .header("content-type", "application/json")
            .body(Body::from(Value::Array(alerts.to_vec()).to_string()))?;
        match tokio::time::timeout(self.timeout, self.client.request(request)).await {
            Err(_) => Err(WebhookError::Late(self.timeout)),
            Ok(answer) => match answer?.status() {
                status if status.is_success() => Ok(()),
                status if CONTENT.contains(&status) => Err(WebhookError::Content(status)),
                status => Err(WebhookError::Refused(status)),
            },
        }
    }
}

/// Labels name the alert for good; what may change between two sendings is an annotation.
pub fn alert(row: &AlertRow) -> Value {
    let ends_at = if row.is_firing() { row.raised_at + FIRES_AT_MOST_MILLIS } else { row.resolved_at };
    json!({
        "labels": {
            "alertname": "tsur_clock", "alert_id": row.alert_id, "source": row.source, "case_id": row.case_id,
            "clock": row.clock, "level": row.level, "addressee": row.addressee, "body": row.body, "block": row.block,
            "territory": row.territory,
        },
        "annotations": { "summary": row.text },
        "startsAt": iso(row.raised_at),
        "endsAt": iso(ends_at),
    })
}

/// A digest, for the same addressee as its alerts.
pub fn digest_alert(digest: &DigestRow) -> Value {
    json!({
        "labels": {
            "alertname": "tsur_digest", "digest_id": digest.digest_id, "addressee": digest.addressee, "why": digest.why,
        },
        "annotations": { "summary": digest.text, "alerts": digest.alerts.to_string() },
        "startsAt": iso(digest.held_from),
        "endsAt": iso(digest.held_until + DIGEST_FIRES_MILLIS),
    })
}
