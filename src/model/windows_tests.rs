use super::*;

fn time(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds).expect("in range")
}

fn effect(kind: EffectKind, at: i64, sign: i8, value: i32) -> Effect {
    Effect { kind, at: time(at), sign, value, body: BodyId(1), day_only: false }
}

const NOON: i64 = 1_767_607_200; // 2026-01-05T10:00:00Z
const KEEP: Retention = Retention { minute: 3 * 86_400, hour: 90 * 86_400 };

fn count(windows: &mut Windows, effects: &[Effect]) {
    windows.count(effects, Dimensions::default(), Dimensions::default(), time(NOON));
}

#[test]
fn a_fact_counts_once_in_each_length_of_window() {
    let mut windows = Windows::new(KEEP, None);
    count(&mut windows, &[effect(EffectKind::Rated, NOON, 1, 5)]);
    let rows = windows.take_dirty();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|(_, value)| value.rated == 1 && value.rated_high == 1 && value.rating_sum == 5));
}

#[test]
fn a_correction_leaves_a_zero_behind_and_not_a_ghost() {
    let mut windows = Windows::new(KEEP, None);
    count(&mut windows, &[effect(EffectKind::Answered, NOON, 1, 60)]);
    count(&mut windows, &[effect(EffectKind::Answered, NOON, -1, 60)]);
    assert!(windows.take_dirty().iter().all(|(_, value)| *value == WindowValue::default()));
}

#[test]
fn a_case_dated_by_days_counts_in_day_windows_only() {
    let mut windows = Windows::new(KEEP, None);
    count(&mut windows, &[Effect { day_only: true, ..effect(EffectKind::Registered, NOON, 1, 0) }]);
    let rows = windows.take_dirty();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].0.unit, WindowUnit::Day);
}

#[test]
fn an_effect_behind_the_horizon_asks_for_a_recount_instead_of_starting_from_zero() {
    let mut windows = Windows::new(KEEP, None);
    count(&mut windows, &[effect(EffectKind::Registered, NOON, 1, 0)]);
    count(&mut windows, &[effect(EffectKind::Registered, NOON - 5 * 3600, 1, 0)]);
    let expected = ColdWindow { unit: WindowUnit::Minute, start: (NOON - 5 * 3600) as u32, about_satisfaction: false };
    assert_eq!(windows.take_cold(), vec![expected]);
}

#[test]
fn a_date_in_the_far_future_does_not_push_real_windows_out() {
    let mut windows = Windows::new(KEEP, None);
    count(&mut windows, &[effect(EffectKind::Registered, NOON + 400 * 86_400, 1, 0)]);
    count(&mut windows, &[effect(EffectKind::Registered, NOON, 1, 0)]);
    assert!(windows.take_cold().is_empty());
}

#[test]
fn a_changed_window_must_be_written_before_the_horizon_passes_it_for_good() {
    let mut windows = Windows::new(KEEP, None);
    count(&mut windows, &[effect(EffectKind::Registered, NOON - 5 * 86_400, 1, 0)]);
    assert!(!windows.must_be_written_now());
    count(&mut windows, &[effect(EffectKind::Registered, NOON, 1, 0)]);
    assert!(windows.must_be_written_now(), "the hour of five days ago is behind the horizon now");
    windows.take_dirty();
    assert!(!windows.must_be_written_now());
}
