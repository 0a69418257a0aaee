//! From the arguments of `tsur generate` to a configuration of the simulation. Pure: the clock is an argument.
//! Owner: the command. Invariant: what `Plan` prints, given again, gives the same records.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::NaiveDate;

use super::Args;
use crate::generate::SimulationConfig;
use crate::model::time::{DAY_SECONDS, MOSCOW_OFFSET_SECONDS, Time};

const HISTORY_DAYS: i64 = 30;
/// Case numbers a seed has to itself; enough for some forty million records.
const SERIALS_PER_SEED: u64 = 10_000_000;
/// Seeds this far apart share case numbers.
const SEEDS: u64 = 1_000_000;

/// What will be done.
#[derive(Clone, Debug)]
pub struct Plan {
    pub simulation: SimulationConfig,
    pub mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Mode {
    /// The whole span, as fast as it goes, with the timestamps of the simulation.
    History,
    /// Records of now at a rate.
    Live { rate: f64, duration: Option<Duration>, records: Option<u64> },
}

pub fn plan(args: &Args, now: Time) -> Result<Plan, String> {
    let mode = match args.rate {
        Some(rate) => Mode::Live { rate, duration: args.duration, records: args.records },
        None => Mode::History,
    };
    let (start, end) = match mode {
        Mode::Live { .. } => (now, now.plus_seconds(i64::from(DAY_SECONDS))),
        Mode::History => span(args, now)?,
    };
    let seed = args.seed.unwrap_or(if mode == Mode::History { 1 } else { u64::from(now.seconds()) });
    let mut simulation = SimulationConfig::new(seed, start, end);
    if mode == Mode::History {
        simulation.records = args.records;
    }
    let fault = args.fault_share.map(|share| share / 4.0);
    simulation.duplicates = args.duplicates.or(fault).unwrap_or(simulation.duplicates);
    simulation.broken = args.broken.or(fault).unwrap_or(simulation.broken);
    simulation.late = args.late.or(fault).unwrap_or(simulation.late);
    simulation.out_of_order = args.out_of_order.or(fault).unwrap_or(simulation.out_of_order);
    let faults = simulation.duplicates + simulation.broken + simulation.late + simulation.out_of_order;
    if faults > 0.9 {
        return Err(format!(
            "the faults sum up to {faults:.2}: leave at least a tenth of the records sound and in time"
        ));
    }
    simulation.pos_share = args.pos_share.unwrap_or(simulation.pos_share);
    simulation.channels = args.channels;
    simulation.first_serial = args.first_serial.unwrap_or(1 + seed % SEEDS * SERIALS_PER_SEED);
    simulation.keep_cases = args.out.is_some();
    Ok(Plan { simulation, mode })
}

fn span(args: &Args, now: Time) -> Result<(Time, Time), String> {
    let days = HISTORY_DAYS * i64::from(DAY_SECONDS);
    let (from, to) = match (args.from, args.to) {
        (Some(from), Some(to)) => (from, to),
        (Some(from), None) => (from, now.moscow_midnight()),
        (None, to) => {
            let to = to.unwrap_or(now.moscow_midnight());
            (to.plus_seconds(-days), to)
        }
    };
    if from >= to {
        return Err(format!("the history begins on {} and ends on {}: --from must be before --to", day(from), day(to)));
    }
    Ok((from, to))
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.simulation;
        match self.mode {
            Mode::History => write!(
                f,
                "history of {0} … {1} (00:00 Moscow), seed {2}; the same again: --seed {2} --from {0} --to {1}",
                day(config.start),
                day(config.end),
                config.seed,
            )?,
            Mode::Live { rate, .. } => write!(f, "live, {rate} records/s, seed {}", config.seed)?,
        }
        Ok(())
    }
}

/// The Moscow day of a moment, as `parse_day` reads it.
fn day(at: Time) -> String {
    let local = i64::from(at.seconds()) + i64::from(MOSCOW_OFFSET_SECONDS);
    chrono::DateTime::from_timestamp(local, 0).map_or_else(String::new, |at| at.format("%Y-%m-%d").to_string())
}

/// 00:00 Moscow of a date.
pub fn parse_day(text: &str) -> Result<Time, String> {
    let day: NaiveDate = text.parse().map_err(|_| format!("{text:?} is not a date like 2026-01-31"))?;
    let seconds = day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp() - i64::from(MOSCOW_OFFSET_SECONDS);
    Time::from_unix_seconds(seconds).ok_or_else(|| format!("{text} is outside 1970 … 2105"))
}

pub fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(format!("{text:?} is not a share between 0 and 1")),
    }
}

/// Unix milliseconds of the clock.
pub fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// 2026-02-03 01:00 in Moscow, still the day before in UTC.
    const NOW: i64 = 1_770_069_600;

    fn parse(line: &str) -> Result<Args, String> {
        let words = std::iter::once("generate").chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.args).map_err(|error| error.to_string())
    }

    fn planned(line: &str) -> Result<Plan, String> {
        plan(&parse(line)?, Time::from_unix_seconds(NOW).expect("in range"))
    }

    #[test]
    fn a_history_ends_at_the_midnight_of_moscow_and_is_thirty_days_long() {
        let plan = planned("--publish --records 5").expect("sound");
        assert_eq!((day(plan.simulation.start), day(plan.simulation.end)), ("2026-01-04".into(), "2026-02-03".into()));
        assert_eq!(plan.simulation.end.seconds(), 1_770_066_000);
        assert_eq!((plan.simulation.seed, plan.simulation.records, plan.mode), (1, Some(5), Mode::History));
        let ends = planned("--publish --to 2025-03-01").expect("sound");
        assert_eq!((day(ends.simulation.start), ends.simulation.records), ("2025-01-30".into(), None));
    }

    #[test]
    fn what_is_printed_gives_the_same_run_again() {
        let first = planned("--publish --seed 9 --from 2026-01-01").expect("sound");
        let printed = first.to_string();
        let (_, again) = printed.split_once("the same again: ").expect("says how");
        let second = plan(&parse(&format!("--publish {again}")).expect("parses"), Time::EARLIEST).expect("sound");
        assert_eq!(format!("{:?}", second.simulation), format!("{:?}", first.simulation));
    }

    #[test]
    fn the_fault_share_is_spread_evenly_and_single_shares_win() {
        let config = planned("--out x --fault-share 0.08 --late 0.5").expect("sound").simulation;
        assert_eq!((config.duplicates, config.broken, config.late, config.out_of_order), (0.02, 0.02, 0.5, 0.02));
        assert!(config.keep_cases);
        assert!(planned("--out x --late 0.6 --duplicates 0.4").is_err_and(|text| text.contains("sum up to")));
        assert!(parse("--out x --late 1.5").is_err_and(|text| text.contains("not a share")));
    }

    #[test]
    fn seeds_have_case_numbers_of_their_own() {
        let first = |seed: u64| planned(&format!("--publish --seed {seed}")).expect("sound").simulation.first_serial;
        assert_eq!((first(0), first(1), first(2)), (1, 10_000_001, 20_000_001));
        assert_eq!(planned("--publish --first-serial 77").expect("sound").simulation.first_serial, 77);
    }

    #[test]
    fn a_live_run_is_of_now_and_its_seed_of_the_clock() {
        let plan = planned("--publish --rate 20000/s --for 60s --records 9").expect("sound");
        let wanted = Mode::Live { rate: 20_000.0, duration: Some(Duration::from_secs(60)), records: Some(9) };
        assert_eq!((plan.mode, plan.simulation.records), (wanted, None));
        assert_eq!((plan.simulation.seed, i64::from(plan.simulation.start.seconds())), (NOW as u64, NOW));
    }

    #[test]
    fn arguments_that_do_not_fit_together_are_refused() {
        for wrong in
            ["", "--publish --out x", "--out x --rate 5", "--publish --for 5s", "--publish --rate 5 --from 2026-01-01"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(planned("--publish --from 2026-02-03").is_err_and(|text| text.contains("--from must be before --to")));
        assert!(parse("--publish --from 03.02.2026").is_err_and(|text| text.contains("2026-01-31")));
    }
}
