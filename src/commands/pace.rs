//! A steady rate: so many records a second, caught up after a pause of up to a second and not more.
//! Owner: the sending loop. Invariant: over any longer time no more than the rate is let through.

use std::time::{Duration, Instant};

use super::stop::Stop;

/// A loop that was held up longer does not make good for it: a burst would say nothing about the rate.
const CATCH_UP: Duration = Duration::from_secs(1);
/// Sleeping for less costs more than it orders.
const GRAIN: Duration = Duration::from_millis(1);

/// Records a second, from `5000` or `5000/s`.
pub fn parse_rate(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix("/s").unwrap_or(text.trim());
    match number.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err(format!("{text:?} is not a rate like 500 or 500/s")),
    }
}

/// Lets records through at a rate.
pub struct Pace {
    gap: Duration,
    next: Instant,
}

impl Pace {
    pub fn new(per_second: f64) -> Pace {
        Pace { gap: Duration::from_secs_f64(1.0 / per_second), next: Instant::now() }
    }

    /// The moment the next record is due.
    fn due(&mut self, now: Instant) -> Instant {
        if now.saturating_duration_since(self.next) > CATCH_UP {
            self.next = now;
        }
        let due = self.next;
        self.next += self.gap;
        due
    }

    /// Waits until the next record is due, or until asked to end.
    pub fn wait(&mut self, stop: &Stop) {
        let now = Instant::now();
        let due = self.due(now);
        if due.saturating_duration_since(now) >= GRAIN {
            stop.sleep_until(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_positive_number() {
        assert_eq!(parse_rate("500"), Ok(500.0));
        assert_eq!(parse_rate("0.5/s"), Ok(0.5));
        for wrong in ["0", "-1", "fast", "", "inf", "5/m"] {
            assert!(parse_rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pause_is_caught_up_only_when_it_was_short() {
        let mut pace = Pace::new(100.0);
        let start = pace.next;
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!(pace.due(start), start);
        assert_eq!(pace.due(after(500)), after(10));
        assert_eq!(pace.due(after(5000)), after(5000));
        assert_eq!(pace.due(after(5000)), after(5010));
    }
}
