//! The client of a schema registry with the HTTP interface of Confluent's: `GET /schemas/ids/N`.
//! Owner: shared by all workers of the process. Invariants: a schema is fetched once a process (its number never gets
//! another meaning); "there is no such schema" is believed only in the registry's own words, every other failure means that
//! the registry is away; every request has a time-out and a bounded answer.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Request, StatusCode, header};
use base64::Engine;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_tls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

use crate::codec::avro::SchemaId;
use crate::config::settings;
use crate::partition::ports::{SchemaAnswer, SchemaSource, SinkError};

/// A longer answer is no schema.
const MAX_ANSWER: usize = 4 << 20;
/// The registry's own number for "schema not found".
const NOT_FOUND: u32 = 40403;

pub struct SchemaRegistry {
    http: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    url: String,
    authorization: Option<String>,
    request_timeout: Duration,
    known: Mutex<HashMap<SchemaId, Arc<str>>>,
}

/// What the registry says of a schema.
#[derive(Deserialize)]
struct Found {
    schema: String,
    /// Absent for Avro.
    #[serde(rename = "schemaType")]
    kind: Option<String>,
    #[serde(default)]
    references: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Refused {
    error_code: u32,
}

impl SchemaRegistry {
    /// `None` where no registry is configured. Nothing is connected yet.
    pub fn connect(settings: &settings::SchemaRegistry) -> Option<SchemaRegistry> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(settings.connect_timeout));
        connector.enforce_http(false); // https comes through the connector around it
        let connector = HttpsConnector::new_with_connector(connector);
        let authorization = settings.user.as_ref().map(|user| {
            let pair = format!("{user}:{}", settings.password.expose());
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        });
        Some(SchemaRegistry {
            http: Client::builder(TokioExecutor::new()).build(connector),
            url: settings.url.clone()?,
            authorization,
            request_timeout: settings.request_timeout,
            known: Mutex::default(),
        })
    }

    async fn ask(&self, id: SchemaId) -> SchemaAnswer {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(Ok(known.clone()));
        }
        let answer = tokio::time::timeout(self.request_timeout, self.request(id)).await;
        let (status, body) = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(problem)) => return Err(self.away(&problem)),
            Err(_) => return Err(self.away("no answer within schema_registry.request_timeout")),
        };
        if status == StatusCode::OK {
            let found: Found =
                serde_json::from_slice(&body).map_err(|_| self.away("the answer is not that of a schema registry"))?;
            return Ok(self.judge(id, found));
        }
        match serde_json::from_slice::<Refused>(&body) {
            Ok(Refused { error_code: NOT_FOUND }) => Ok(Err("the schema registry does not know it".to_owned())),
            _ => Err(self.away(&format!("it answers {status}"))),
        }
    }

    fn judge(&self, id: SchemaId, found: Found) -> Result<Arc<str>, String> {
        if let Some(kind) = found.kind.filter(|kind| kind != "AVRO") {
            return Err(format!("it is a schema of {kind}, not of Avro"));
        }
        if !found.references.is_empty() {
            return Err("it refers to other schemas of the registry, which is not supported".to_owned());
        }
        let text: Arc<str> = Arc::from(found.schema);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id, text.clone());
        Ok(text)
    }

    async fn request(&self, id: SchemaId) -> Result<(StatusCode, Bytes), String> {
        let mut request = Request::get(format!("{}/schemas/ids/{}", self.url, id.0))
            .header(header::ACCEPT, "application/vnd.schemaregistry.v1+json, application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::new()).map_err(|error| error.to_string())?;
        let answer = self.http.request(request).await.map_err(|error| chain(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(|error| error.to_string())?;
        Ok((status, body.to_bytes()))
    }

    fn away(&self, problem: &str) -> SinkError {
        SinkError::Unavailable(format!("schema registry {}: {problem}", self.url))
    }
}

/// The client's own message hides the cause.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

impl SchemaSource for SchemaRegistry {
    fn fetch(&self, id: SchemaId) -> Pin<Box<dyn Future<Output = SchemaAnswer> + Send + '_>> {
        Box::pin(self.ask(id))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::extract::Path;
    use axum::http::HeaderMap;
    use axum::routing::get;
    use axum::{Json, Router};
    use serde_json::json;

    use super::*;

    /// A registry with one schema, number 7, that wants a password.
    async fn registry(asked: Arc<AtomicU32>) -> String {
        let answer = move |Path(id): Path<u32>, headers: HeaderMap| {
            asked.fetch_add(1, Ordering::Relaxed);
            let allowed = headers.get("authorization").is_some_and(|value| value == "Basic dXNlcjpwYXNz");
            let (status, body) = match id {
                _ if !allowed => (401, json!({"error_code": 401, "message": "Unauthorized"})),
                7 => (200, json!({"schema": "{\"type\":\"string\"}"})),
                8 => (200, json!({"schema": "syntax = \"proto3\";", "schemaType": "PROTOBUF"})),
                9 => (500, json!({"error_code": 50001, "message": "store"})),
                10 => (200, json!("not a registry")),
                _ => (404, json!({"error_code": 40403, "message": "Schema not found"})),
            };
            async move { (StatusCode::from_u16(status).expect("a status"), Json(body)) }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/schemas/ids/{id}", get(answer))).await });
        format!("http://{address}")
    }

    fn client(url: String, password: &str) -> SchemaRegistry {
        let settings = settings::SchemaRegistry {
            url: Some(url),
            user: Some("user".to_owned()),
            password: settings::Secret::new(password),
            request_timeout: Duration::from_secs(1),
            ..settings::SchemaRegistry::default()
        };
        SchemaRegistry::connect(&settings).expect("configured")
    }

    #[tokio::test]
    async fn a_schema_is_fetched_once_and_an_unknown_one_is_told_from_a_registry_that_is_away() {
        let asked = Arc::new(AtomicU32::new(0));
        let url = registry(asked.clone()).await;
        let registry = client(url.clone(), "pass");
        for _ in 0..3 {
            let answer = registry.fetch(SchemaId(7)).await.expect("there").expect("known");
            assert_eq!(&*answer, r#"{"type":"string"}"#);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let unknown = registry.fetch(SchemaId(99)).await.expect("an answer").expect_err("unknown");
        assert!(unknown.contains("does not know it"), "{unknown}");
        let other = registry.fetch(SchemaId(8)).await.expect("an answer").expect_err("another format");
        assert!(other.contains("PROTOBUF"), "{other}");
        for id in [9, 10] {
            assert!(matches!(registry.fetch(SchemaId(id)).await, Err(SinkError::Unavailable(_))), "{id}");
        }
        let stranger = client(url.clone(), "wrong").fetch(SchemaId(7)).await;
        assert!(matches!(stranger, Err(SinkError::Unavailable(problem)) if problem.contains("401")));
        let elsewhere = client(format!("{url}/elsewhere"), "pass").fetch(SchemaId(7)).await;
        assert!(matches!(elsewhere, Err(SinkError::Unavailable(_))), "a wrong address rejects nothing");
    }

    #[tokio::test]
    async fn a_registry_that_does_not_answer_is_away() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let silent = format!("http://{}", listener.local_addr().expect("bound"));
        let answer = client(silent, "pass").fetch(SchemaId(7)).await;
        assert!(matches!(answer, Err(SinkError::Unavailable(problem)) if problem.contains("request_timeout")));
        drop(listener);
        let gone = client("http://127.0.0.1:9".to_owned(), "pass").fetch(SchemaId(7)).await;
        assert!(matches!(gone, Err(SinkError::Unavailable(_))));
    }
}
