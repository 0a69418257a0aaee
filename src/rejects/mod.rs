//! Rejected records, told to the upstreams that sent them: messages of the Kafka topic `tsur.rejects`.
//! Owner: one task of the process. Invariants: the journal row of a record is there before anybody is told of it, because a
//! message is made from that row and from nothing else; each rejected row is told at least once, whatever dies in between
//! (what was told is noted in `rejects_sent`, and the rest is found in the journal); the id makes repeats known.
//! A worker only tells how far the journal reaches, so nothing waits in memory but a number for each partition.

pub mod notice;
pub mod outbox;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::model::ids::{Offset, StreamEpoch};
use crate::partition::ports::StreamId;

/// How far the journal of a partition reaches, as far as the outbox should look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reach {
    /// A recreated Kafka topic begins again at offset 0.
    pub epoch: StreamEpoch,
    pub below: Offset,
}

/// The latest reach of each partition; what waits is never more than one of each.
pub type Reaches = HashMap<StreamId, Reach>;

/// The end of the outbox that the workers hold.
#[derive(Clone)]
pub struct Landings(Arc<watch::Sender<Reaches>>);

impl Landings {
    /// The receiver learns of the end when the last clone is dropped.
    pub fn new() -> (Landings, watch::Receiver<Reaches>) {
        let (sender, receiver) = watch::channel(Reaches::new());
        (Landings(Arc::new(sender)), receiver)
    }

    /// All rows below the offset are in the journal.
    pub fn landed(&self, stream: &StreamId, epoch: StreamEpoch, below: Offset) {
        let reach = Reach { epoch, below };
        self.0.send_if_modified(|reaches| reaches.insert(stream.clone(), reach) != Some(reach));
    }
}
