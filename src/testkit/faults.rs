//! What goes wrong, and where: the script of a schedule.
//! Invariants: incidents happen one after another, each at a named point of the protocol, and only to the present owner
//! (a frozen former one has had its own); what is not reached does not happen.

use std::collections::VecDeque;

/// Where a worker touches the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Point {
    /// The commit of an intent.
    Begin,
    /// Reading the committed offset back.
    Readback,
    /// The INSERT into the journal.
    Write,
    /// Windows and backlog.
    Project,
    /// The commit of an end.
    Finish,
    /// Any question to the journal at the start.
    Restore,
}

/// What happens there. `after`: the effect of the call stands, only its reply is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The process dies.
    Crash { after: bool },
    /// No answer: the outcome is unknown to the caller.
    Lost { after: bool },
    /// The server dies while it puts a block in its place, and the process with it if `crash`: the token is noted, and the
    /// rows are nowhere; or, if `journal`, in the journal and not in `cases`. At another point than the INSERT no more than a
    /// lost answer.
    Torn { journal: bool, crash: bool },
    /// Refused for the moment, so many times.
    Away { calls: u8 },
    /// The process freezes past its session; the group gives the partition away; then the call goes on, and with it the
    /// zombie. `after: false` is the request that was on its way all the time and lands late.
    Hang { after: bool, is_told: bool },
    /// The group takes the partition back while the call takes `call` tenths of a second; `drain` tenths are allowed.
    /// `queued`: a commit waits in this process, not on the wire, so the broker sees it under the generation of then.
    Revoke { call: u8, drain: u8, queued: bool },
}

/// One thing that goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Incident {
    pub point: Point,
    /// So many calls of this kind go well first.
    pub skip: u8,
    pub fault: Fault,
    /// Version of the rules that the next owner has.
    pub next_rules: u8,
    /// While the partition has no owner, others insert more blocks than ClickHouse remembers tokens of.
    pub forgets_tokens: bool,
}

/// The incidents that are still to come.
#[derive(Default)]
pub struct Script {
    incidents: VecDeque<Incident>,
    seen: u8,
}

impl Script {
    pub fn new(incidents: &[Incident]) -> Script {
        Script { incidents: incidents.iter().copied().collect(), seen: 0 }
    }

    /// A call of the owner: what happens to it.
    pub fn meet(&mut self, point: Point) -> Option<Incident> {
        let incident = self.incidents.front_mut()?;
        if incident.point != point {
            return None;
        }
        if self.seen < incident.skip {
            self.seen += 1;
            return None;
        }
        if let Fault::Away { calls } = &mut incident.fault
            && *calls > 1
        {
            *calls -= 1;
            return Some(*incident);
        }
        self.seen = 0;
        self.incidents.pop_front()
    }
}
