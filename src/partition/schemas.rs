//! Schemas that a worker needs and does not have: fetched while the partition waits, because decoding does no IO.
//! Invariants: a source that is away is waited for and never makes a reject; a schema that the source does not know is
//! asked for again after a while, because it may have been registered by then.

use std::time::Duration;

use tokio::time::Instant;

use tracing::warn;

use crate::codec::avro::SchemaId;
use crate::model::apply::DeadlineRules;
use crate::partition::ports::{OffsetLog, Sink};
use crate::partition::worker::{Worker, WorkerEnd};

/// How long an unknown schema stays unknown.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);

impl<R, L, S> Worker<R, L, S>
where
    R: DeadlineRules + Send + Sync + 'static,
    L: OffsetLog + Clone,
    S: Sink,
{
    /// Fetches one schema, however long its source is away.
    pub(super) async fn learn_schema(&mut self, id: SchemaId) -> Result<(), WorkerEnd> {
        let Some(schemas) = self.schemas.clone() else {
            self.fold.learn_schema(id, Err("no schema registry is configured".to_owned()));
            return Ok(());
        };
        let answer = self
            .patiently(|_, _| {
                let schemas = schemas.clone();
                async move { schemas.fetch(id).await }
            })
            .await?;
        if let Err(problem) = &answer {
            warn!(partition = %self.a.stream, schema = id.0, problem, "records of this schema are rejected");
        }
        self.fold.learn_schema(id, answer.as_deref().map_err(Clone::clone));
        Ok(())
    }

    pub(super) fn forget_unknown_schemas(&mut self) {
        if self.schemas.is_some() && self.schemas_at.elapsed() >= UNKNOWN_FOR {
            self.schemas_at = Instant::now();
            self.fold.forget_unusable_schemas();
        }
    }
}
