//! Explanations: which policy a case has and why, and every step of each of its clocks, for a lawyer to check.
//! Pure. Invariant: nothing is counted here. Due times come from the one function that also counts them in the pipeline,
//! which is watched while it does; verdicts come from the case as the case machine left it. Golden files:
//! `src/commands/explain_tests.rs`.

mod days;
mod report;
mod russian;

use crate::config::reference::Body;
use crate::enrich::names::NameLists;
use crate::model::calendar::Calendar;
use crate::model::case::{BodyId, Case, Flag};
use crate::model::clocks::{course_of, facts_of, pause_of};
use crate::model::policy::{CaseFacts, Course, Due, Goal, MatchSpec, Policies, PolicyId, PolicySpec, Step};
use crate::model::time::{MOSCOW_OFFSET_SECONDS, Time};
use crate::model::words::{Clock, ClockStart, EventKind, GoalUnit, Law, MessageKind, Roll, Status};
pub use report::{ClockExplanation, Explanation, HistoryLine, PassedOver, PauseLine, StepLine, Unmet, Verdict};

/// One change of a case, and the case as it stood after it.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub event: EventKind,
    pub at: Option<Time>,
    pub case: Case,
}

/// What is asked: a case with its changes in the order of the log.
pub struct Question<'a> {
    pub case_id: &'a str,
    pub source: &'a str,
    pub source_number: u8,
    pub changes: &'a [Change],
    pub policies: &'a Policies,
    pub specs: &'a [PolicySpec],
    pub names: &'a NameLists,
    /// The bodies of the reference, whose codes people do not know.
    pub bodies: &'a [Body],
    /// What running clocks are compared with.
    pub now: Time,
}

/// ISO 8601 in Moscow time.
fn iso(time: Time) -> String {
    let local = i64::from(time.seconds()) + i64::from(MOSCOW_OFFSET_SECONDS);
    let text = chrono::DateTime::from_timestamp(local, 0).map(|at| at.format("%Y-%m-%dT%H:%M:%S+03:00").to_string());
    text.unwrap_or_default()
}

impl Question<'_> {
    fn body(&self, body: BodyId) -> String {
        let code = self.names.bodies.name(body.0);
        let listed = self.bodies.iter().find(|listed| *listed.code == *code);
        listed.map_or_else(|| code.to_string(), |listed| listed.name.clone())
    }
}

/// Explains the case; `None` without a change.
pub fn explain(question: &Question<'_>) -> Option<Explanation> {
    let case = &question.changes.last()?.case;
    let facts = facts_of(case, question.source_number);
    let matched = question.policies.first_match(&facts);
    let above = matched.map_or(question.specs.len(), |id| usize::from(id.0));
    let passed_over = (0..above).map(|place| passed_over(question, place, &facts)).collect();
    let spec = matched.and_then(|id| question.specs.get(usize::from(id.0)));
    let line = |change: &Change| HistoryLine {
        at: change.at.map(iso),
        event: change.event.name(),
        status: change.case.status.name(),
        holder: question.body(change.case.body),
    };
    Some(Explanation {
        case_id: question.case_id.to_owned(),
        source: question.source.to_owned(),
        status: case.status.name(),
        review_round: case.review_round,
        holder: question.body(case.body),
        passed_over,
        policy: spec.map(|spec| spec.name.clone()),
        source_note: spec.map(|spec| spec.source_note.clone()).unwrap_or_default(),
        clocks: matched.map_or_else(Vec::new, |id| clocks(question, id, case)),
        history: question.changes.iter().map(line).collect(),
        remarks: remarks(question, matched, case),
    })
}

fn passed_over(question: &Question<'_>, place: usize, facts: &CaseFacts) -> PassedOver {
    let spec = &question.specs[place];
    let unmet = question.policies.unmet(PolicyId(place as u16), facts);
    let unmet = unmet.into_iter().map(|condition| unmet_condition(question, &spec.conditions, condition, facts));
    PassedOver { policy: spec.name.clone(), unmet: unmet.collect() }
}

fn unmet_condition(question: &Question<'_>, wanted: &MatchSpec, condition: &'static str, facts: &CaseFacts) -> Unmet {
    let names = question.names;
    let yes_or_no = |value: Option<bool>| value.map_or_else(String::new, |value| value.to_string());
    let (wanted, found) = match condition {
        "source" => (wanted.source.join(", "), question.source.to_owned()),
        "law" => (wanted.law.join(", "), facts.law.map_or("", Law::name).to_owned()),
        "fast_track" => (yes_or_no(wanted.fast_track), facts.fast_track.to_string()),
        "repeated" => (yes_or_no(wanted.repeated), facts.repeated.to_string()),
        "priority" => (wanted.priority.join(", "), facts.priority.name().to_owned()),
        "kind" => (wanted.kind.join(", "), facts.kind.map_or("", MessageKind::name).to_owned()),
        "block" => (wanted.block.join(", "), names.blocks.name(u16::from(facts.block)).to_string()),
        "topic" => (wanted.topic.join(", "), names.topics.name(facts.topic).to_string()),
        _ => (wanted.body.join(", "), names.bodies.name(facts.body).to_string()),
    };
    Unmet { condition, wanted, found }
}

/// The two clocks of the author, then the stages the case went through.
fn clocks(question: &Question<'_>, id: PolicyId, case: &Case) -> Vec<ClockExplanation> {
    let mut clocks = Vec::new();
    for (clock, stop) in [(Clock::FirstAnswer, case.first_stop()), (Clock::FinalAnswer, case.final_stop())] {
        if let Some(goal) = question.policies.goal(id, clock) {
            let course = course_of(case, clock, goal);
            clocks.push(one_clock(question, id, (clock, goal), course, (stop, case)));
        }
    }
    for (stage, start, stop, at) in stages(question.changes) {
        if let Some(goal) = question.policies.goal(id, stage) {
            clocks.push(one_clock(question, id, (stage, goal), Some(Course::from(start)), (stop, at)));
        }
    }
    clocks
}

/// Stages in the order they were entered: clock, start, end, the case in it.
fn stages(changes: &[Change]) -> Vec<(Clock, Time, Option<Time>, &Case)> {
    let start_of = |case: &Case| {
        if case.is(Flag::StageIsDispatch) { case.registered_at } else { case.status_since }
    };
    let mut found: Vec<(Clock, Time, Option<Time>, &Case)> = Vec::new();
    for change in changes {
        let now = change.case.stage().zip(start_of(&change.case));
        if let Some((clock, start, stop, _)) = found.last_mut()
            && stop.is_none()
            && now != Some((*clock, *start))
        {
            let left = if *clock == Clock::Dispatch { change.case.routed_at } else { change.case.status_since };
            *stop = left.or(change.case.status_at);
        }
        if let Some((clock, start)) = now
            && found.last().is_none_or(|(.., stop, _)| stop.is_some())
        {
            found.push((clock, start, None, &change.case));
        }
    }
    found
}

fn one_clock(
    question: &Question<'_>,
    id: PolicyId,
    (clock, goal): (Clock, Goal),
    course: Option<Course>,
    (stop, case): (Option<Time>, &Case),
) -> ClockExplanation {
    let calendar = question.policies.calendar(goal);
    let mut told = ClockExplanation {
        clock: clock.name(),
        goal: goal.amount,
        unit: goal.unit.name(),
        calendar: calendar.map(|calendar| calendar.name().to_owned()),
        started_by: started_by(clock, goal, case),
        start: course.map(|course| iso(course.start)),
        pauses: Vec::new(),
        steps: Vec::new(),
        due: None,
        stop: stop.map(iso),
        verdict: Verdict::NotStarted,
        seconds: 0,
        holder_at_due: None,
    };
    let Some(course) = course else { return told };
    if clock == Clock::FinalAnswer {
        told.pauses = pauses(question, course.start);
    }
    let due = question.policies.due_of(id, clock, &course, &mut |step| {
        told.steps.push(step_line(step, goal, calendar, &course));
    });
    let Due::At(due) = due else {
        told.verdict = Verdict::NoCalendar;
        return told;
    };
    told.due = Some(iso(due));
    let is_paused = clock == Clock::FinalAnswer && case.is(Flag::Paused);
    let until = stop.unwrap_or(question.now);
    told.verdict = match (stop, until > due) {
        (Some(_), false) => Verdict::OnTime,
        (Some(_), true) => Verdict::Late,
        (None, _) if is_paused => Verdict::Paused,
        (None, false) => Verdict::Running,
        (None, true) => Verdict::RunningLate,
    };
    told.seconds = if until > due { until.seconds_since(due) } else { due.seconds_since(until) };
    told.holder_at_due = (until > due && clock != Clock::Dispatch).then(|| holder_at_due(question, clock, due, case));
    told
}

fn started_by(clock: Clock, goal: Goal, case: &Case) -> &'static str {
    match clock {
        Clock::FinalAnswer if case.round_since.is_some() => "return",
        Clock::FirstAnswer | Clock::FinalAnswer => goal.start.name(),
        Clock::Dispatch => ClockStart::Registration.name(),
        Clock::Moderation | Clock::Coordination | Clock::Execution | Clock::Approval => "status",
    }
}

/// The case knows it for a breach of the author's clocks; the history tells it for all that still run.
fn holder_at_due(question: &Question<'_>, clock: Clock, due: Time, case: &Case) -> String {
    let settled = match clock {
        Clock::FirstAnswer if case.first_stop().is_some() => case.first_breach_body,
        Clock::FinalAnswer if case.final_stop().is_some() && !case.is(Flag::BreachLocked) => case.breach_body,
        _ => BodyId(0),
    };
    let last = question.changes.last().map_or(case, |change| &change.case);
    let told = question.changes.iter().rev().find_map(|change| change.case.holder_at(due));
    let body = if settled == BodyId(0) { told.unwrap_or(last.received_body) } else { settled };
    question.body(body)
}

/// Stays in statuses of the pause list since the clock started.
fn pauses(question: &Question<'_>, start: Time) -> Vec<PauseLine> {
    let mut lines = Vec::new();
    let mut open: Option<&Case> = None;
    let mut close = |standing: &Case, to: Option<Time>| {
        let Some(from) = standing.status_since.map(|from| from.max(start)) else { return };
        if to.is_some_and(|to| to <= from) {
            return;
        }
        let until = to.unwrap_or(question.now);
        let pause = pause_of(standing, question.source_number, question.policies, from, until);
        lines.push(PauseLine {
            from: iso(from),
            to: to.map(iso),
            status: standing.status.name(),
            seconds: pause.seconds,
            days: pause.days,
        });
    };
    for change in question.changes {
        let case = &change.case;
        if let Some(standing) = open.filter(|standing| standing.status_since != case.status_since) {
            close(standing, case.status_since);
            open = None;
        }
        if case.is(Flag::Paused) && open.is_none() {
            open = Some(case);
        }
    }
    if let Some(standing) = open {
        close(standing, None);
    }
    lines
}

fn step_line(step: Step, goal: Goal, calendar: Option<&Calendar>, course: &Course) -> StepLine {
    let unit = goal.unit.name();
    match step {
        Step::Counted { amount, paused, from, to } => {
            let counts_days = goal.unit == GoalUnit::WorkingDays;
            let counts_hours = goal.unit == GoalUnit::WorkingHours;
            let working = calendar.filter(|_| counts_days || counts_hours);
            StepLine::Counted {
                amount,
                unit,
                paused_seconds: paused.seconds,
                paused_days: paused.days,
                from: iso(from),
                to: iso(to),
                days_off: working.map_or_else(Vec::new, |calendar| days::days_off(calendar, from, to)),
                working_weekends: working.map_or_else(Vec::new, |calendar| days::working_weekends(calendar, from, to)),
                worked: working
                    .filter(|_| counts_hours)
                    .map_or_else(Vec::new, |calendar| days::worked_days(calendar, from, to)),
            }
        }
        Step::Rolled { roll, from, to } => StepLine::Rolled {
            roll: Roll::name(roll),
            from: iso(from),
            to: iso(to),
            why: days::name_of_day_off(crate::model::calendar::MoscowDay::of(from)).to_owned(),
        },
        Step::NotRolled { at } => StepLine::NotRolled { at: iso(at) },
        Step::Extended { at, amount } => {
            StepLine::Extended { at: iso(at), amount, unit, date_unknown: at == course.start }
        }
        Step::NotExtended { at, is_late } => StepLine::NotExtended { at: iso(at), is_late },
    }
}

/// What a reader must know before relying on it.
fn remarks(question: &Question<'_>, matched: Option<PolicyId>, case: &Case) -> Vec<String> {
    let mut remarks = Vec::new();
    if case.registered_at.is_none() {
        remarks.push("Время регистрации неизвестно: первое событие не поступало, сроки не идут.".to_owned());
    }
    if let Some(breach) = case.final_breach_at.filter(|_| case.is(Flag::BreachLocked)) {
        let holder = question.body(case.breach_body);
        let when = russian::moment(breach);
        remarks.push(format!("В прежнем рассмотрении нарушен срок {when}, дело было у: {holder}."));
    }
    if let Some(id) = matched {
        for (clock, recorded) in [(Clock::FirstAnswer, case.due_first), (Clock::FinalAnswer, case.due_final)] {
            let course = question.policies.goal(id, clock).and_then(|goal| course_of(case, clock, goal));
            let counted = course.map(|course| question.policies.due_of(id, clock, &course, &mut |_| {}));
            let counted = counted.and_then(|due| if let Due::At(at) = due { Some(at) } else { None });
            if recorded != counted {
                let text = |time: Option<Time>| time.map_or_else(|| "нет".to_owned(), russian::moment);
                remarks.push(format!(
                    "{}: в журнале записан срок {}, по нынешним правилам {}: правила изменились после записи.",
                    russian::clock(clock.name()),
                    text(recorded),
                    text(counted)
                ));
            }
        }
    }
    if let Some(planned) = case.planned_at {
        let flag = if case.is(Flag::SourceOverdue) { "просрочено" } else { "не просрочено" };
        remarks.push(format!("Источник указывает свой срок {} и отметку «{flag}».", russian::moment(planned)));
    }
    remarks
}

/// Statuses as an explanation names them.
fn status_text(name: &str) -> &'static str {
    match Status::from_name(name) {
        Some(Status::New) => "новое",
        Some(Status::Moderation) => "модерация",
        Some(Status::Coordination) => "координация",
        Some(Status::InWork) => "в работе",
        Some(Status::Interim) => "дан промежуточный ответ",
        Some(Status::Approval) => "на согласовании",
        Some(Status::Answered) => "дан ответ",
        Some(Status::Closed) => "закрыто",
        Some(Status::Rejected) => "отклонено",
        Some(Status::Returned) => "возвращено на доработку",
        Some(Status::Deferred) => "отложено",
        Some(Status::Duplicate) => "дубль",
        Some(Status::Transferred) => "направлено по компетенции",
        Some(Status::Extended) => "срок продлён",
        None => "неизвестно",
    }
}
