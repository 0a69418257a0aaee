//! What the process tells of itself: metrics, logs, health over HTTP.

pub mod alert_metrics;
pub mod http;
pub mod logs;
pub mod metrics;
