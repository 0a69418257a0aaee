//! How many cases give how many records: lives a few thousand cases through without writing anything.
//! Owner: the simulation, once at its start. Invariant: has dice of its own, so a change here does not shift the stream's throws.

use super::SourceKind;
use super::case::Case;
use super::channels;
use super::config::SimulationConfig;
use super::dice::{Dice, Weighted};
use super::opening::draw_case;
use super::rhythm::{intensity, month};
use super::world::World;
use crate::model::time::Time;

const SAMPLE: usize = 6_000;
/// New cases a week in life: about 1,100 in social networks and 775 in ПОС.
const CASES_PER_WEEK: f64 = 1_875.0;
const WEEK_SECONDS: f64 = 604_800.0;
/// So that a run with a fixed number of records seldom runs out of time before it has them; accidents make short runs uneven.
fn margin(records: u64) -> f64 {
    1.01 + 4.0 / (records.max(1) as f64).sqrt()
}

/// What the simulation needs to know before it starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calibration {
    /// Cases a second at intensity 1 in a month without seasons.
    pub(super) cases_per_second: f64,
    /// Share of ПОС among the cases that are of no channel.
    pub(super) pos_cases: f64,
    /// Share of each channel among all cases; none without channels.
    pub(super) channel_cases: Option<[(SourceKind, f64); 3]>,
    /// Records of a case that is lived to its end.
    pub(super) steps_per_case: f64,
}

impl Calibration {
    /// Whose the next case is. Without channels no dice are thrown for them, so such runs stay as they are.
    pub(super) fn draw_source(&self, dice: &mut Dice) -> SourceKind {
        if let Some(channels) = self.channel_cases {
            let mut rest = dice.unit();
            for (source, share) in channels {
                if rest < share {
                    return source;
                }
                rest -= share;
            }
        }
        if dice.chance(self.pos_cases) { SourceKind::Pos } else { SourceKind::Incident }
    }
}

/// Steps of a mean case: those before the end of the span, and all.
struct MeanLife {
    in_span: f64,
    whole: f64,
}

pub(super) fn calibrate(config: &SimulationConfig, end: Time, world: &World) -> Calibration {
    let mut dice = Dice::new(config.seed ^ 0xCA11_B8A7);
    let hours = hourly_inflow(config.start, end, world);
    let pos = mean_life(SourceKind::Pos, config.start, end, &hours, world, &mut dice);
    let incident = mean_life(SourceKind::Incident, config.start, end, &hours, world, &mut dice);
    let share = config.pos_share.clamp(0.0, 1.0);
    let pos_cases = share * incident.in_span / (share * incident.in_span + (1.0 - share) * pos.in_span);
    let mix = |pos: f64, incident: f64| pos_cases * pos + (1.0 - pos_cases) * incident;
    let (mut in_span, mut whole) = (mix(pos.in_span, incident.in_span), mix(pos.whole, incident.whole));
    let mut cases_per_week = CASES_PER_WEEK;
    let mut channel_cases = None;
    if config.channels {
        let to_one = channels::to_one_other(CASES_PER_WEEK);
        let all = 1.0 + to_one.iter().map(|(_, cases)| cases).sum::<f64>();
        (in_span, whole) = (in_span / all, whole / all);
        for (source, cases) in to_one {
            let life = mean_life(source, config.start, end, &hours, world, &mut dice);
            in_span += cases / all * life.in_span;
            whole += cases / all * life.whole;
        }
        cases_per_week *= all;
        channel_cases = Some(to_one.map(|(source, cases)| (source, cases / all)));
    }
    let cases_per_second = match config.records {
        Some(records) => {
            let sound = records as f64 * (1.0 - config.duplicates - config.broken).max(0.05);
            sound / in_span * margin(records) / (hours.total() * 3600.0)
        }
        None => cases_per_week / WEEK_SECONDS * config.volume.max(1e-6),
    };
    Calibration { cases_per_second, pos_cases, channel_cases, steps_per_case: whole }
}

/// The inflow of every hour of the span, relative to intensity 1 in a steady month.
fn hourly_inflow(start: Time, end: Time, world: &World) -> Weighted {
    let hours = (end.seconds_since(start) / 3600).max(1);
    Weighted::new((0..hours).map(|hour| {
        let at = start.plus_seconds(i64::from(hour) * 3600);
        intensity(at) * world.volume(month(at))
    }))
}

fn mean_life(source: SourceKind, start: Time, end: Time, hours: &Weighted, world: &World, dice: &mut Dice) -> MeanLife {
    let (mut in_span, mut whole) = (0u32, 0u32);
    for _ in 0..SAMPLE {
        let offset = hours.draw(dice) as i64 * 3600 + i64::from(dice.between(0, 3599));
        let mut case = draw_case(source, start.plus_seconds(offset), 1, world, dice);
        let mut next = Some((Case::first_step(source), case.registered));
        while let Some((step, at)) = next {
            case.take(step, at, world, dice);
            whole += 1;
            in_span += u32::from(at < end || whole == 1);
            next = case.next(1.0, dice);
        }
    }
    let mean = |steps: u32| f64::from(steps) / SAMPLE as f64;
    MeanLife { in_span: mean(in_span).max(0.01), whole: mean(whole).max(1.0) }
}
