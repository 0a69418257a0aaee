//! `/metrics`, `/livez`, `/readyz`, `/debug/partitions`. Reads copies of the state; no request can slow a partition down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;

use crate::app::registry::Registry;

#[derive(Clone)]
struct Shared {
    metrics: PrometheusHandle,
    registry: Arc<Registry>,
    started: Instant,
}

/// Binds the address and serves until the process ends; gives the address that was bound (port 0 takes a free one).
pub async fn serve(
    listen: SocketAddr,
    metrics: PrometheusHandle,
    registry: Arc<Registry>,
) -> std::io::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let shared = Shared { metrics, registry, started: Instant::now() };
    let routes = axum::Router::new()
        .route("/metrics", get(|State(shared): State<Shared>| async move { shared.metrics.render() }))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/debug/partitions", get(partitions))
        .with_state(shared);
    tokio::spawn(async move {
        if let Err(problem) = axum::serve(listener, routes).await {
            tracing::error!(%problem, "the http server ended");
        }
    });
    Ok(address)
}

async fn livez(State(shared): State<Shared>) -> impl IntoResponse {
    Json(json!({ "alive": true, "uptime_seconds": shared.started.elapsed().as_secs() }))
}

async fn readyz(State(shared): State<Shared>) -> impl IntoResponse {
    let reasons = shared.registry.unready();
    let code = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let (rules, refused) = shared.registry.rules();
    // rules that are refused leave the old ones in force: no reason to take the process out of service
    let rules = json!({ "in_force": rules.to_string(), "refused": refused });
    (code, Json(json!({ "ready": reasons.is_empty(), "reasons": reasons, "rules": rules })))
}

async fn partitions(State(shared): State<Shared>) -> impl IntoResponse {
    Json(shared.registry.describe())
}
