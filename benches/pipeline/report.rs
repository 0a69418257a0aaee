//! The figures as a table for people and as one JSON object for machines.
//! Owner: the benchmark. Invariant: a part that did not run has no figure, rather than a zero.

use serde_json::{Map, Value, json};

use crate::baseline::Rival;
use crate::drain::Drained;
use crate::latency::Latency;
use crate::memory::Memory;

/// Wall times and latencies are worth little next to busy neighbours; CPU times stay within a third.
const NEIGHBOURS: &str = "an idle machine has next to none";

#[derive(Default)]
pub struct Report {
    pub drained: Option<Drained>,
    pub rival: Option<Rival>,
    pub latency: Option<Latency>,
    pub memory: Option<Memory>,
}

fn rounded(value: f64, digits: i32) -> Value {
    let scale = 10f64.powi(digits);
    json!((value * scale).round() / scale)
}

fn line(name: &str, value: String, target: &str) {
    println!("  {name:<44}{value:>14}   {target}");
}

impl Report {
    /// Prints the table and gives the object.
    pub fn print(&self) -> Value {
        let mut figures = Map::new();
        let mut figure = |name: &str, value: f64, digits: i32| figures.insert(name.to_owned(), rounded(value, digits));
        println!();
        if let Some(drained) = &self.drained {
            let records = drained.records as f64;
            let micros = |seconds: f64| seconds * 1e6 / records;
            let total = drained.pipeline + drained.clickhouse;
            println!("drain of {} records, both sources", drained.records);
            line("records/s, wall", format!("{:.0}", records / drained.wall), "");
            line(
                "records/s per pipeline core",
                format!("{:.0}", records / drained.pipeline),
                "floor 60,000, goal 150,000",
            );
            line("records/s per core of pipeline + clickhouse", format!("{:.0}", records / total), "");
            line("CPU s per million: pipeline", format!("{:.2}", micros(drained.pipeline)), "");
            for (name, seconds) in &drained.threads {
                line(&format!("  of it threads {name}"), format!("{:.2}", micros(*seconds)), "");
            }
            line("CPU s per million: clickhouse with merges", format!("{:.2}", micros(drained.clickhouse)), "");
            line("CPU s per million: kafka broker (not counted)", format!("{:.2}", micros(drained.kafka)), "");
            line("first row after, s", format!("{:.2}", drained.first_row), "");
            line("peak resident memory, MB", format!("{:.0}", drained.peak_rss as f64 / 1e6), "");
            line("parts of all tables at the end", format!("{}", drained.parts), "");
            line("cores used by neighbours", format!("{:.2}", drained.neighbour_cores), NEIGHBOURS);
            figure("records", records, 0);
            figure("records_per_s_wall", records / drained.wall, 0);
            figure("records_per_s_per_pipeline_core", records / drained.pipeline, 0);
            figure("records_per_s_per_total_core", records / total, 0);
            figure("pipeline_cpu_s_per_million", micros(drained.pipeline), 2);
            figure("clickhouse_cpu_s_per_million", micros(drained.clickhouse), 2);
            figure("kafka_cpu_s_per_million", micros(drained.kafka), 2);
            figure("peak_rss_mb", drained.peak_rss as f64 / 1e6, 0);
        }
        if let Some(rival) = &self.rival {
            let micros = rival.clickhouse * 1e6 / rival.records as f64;
            println!("clickhouse's own Kafka engine on the same topics (at least once, no deadlines, no masking)");
            line("records/s, wall", format!("{:.0}", rival.records as f64 / rival.wall), "");
            line("CPU s per million, with merges", format!("{micros:.2}"), "");
            line("first row after, s", format!("{:.2}", rival.first_row), "");
            line("records it lost", format!("{}", rival.records.saturating_sub(rival.rows)), "");
            figure("rival_cpu_s_per_million", micros, 2);
            figure("rival_records_per_s_wall", rival.records as f64 / rival.wall, 0);
            if let Some(drained) = &self.drained {
                let ours = (drained.pipeline + drained.clickhouse) * 1e6 / drained.records as f64;
                line("its CPU a record / ours, clickhouse included", format!("{:.2}", micros / ours), "goal 1.5");
                figure("ratio_to_clickhouse_kafka_engine", micros / ours, 3);
            }
        }
        if let Some(latency) = &self.latency {
            println!("produce to visible row at {} records/s, {} records", latency.rate, latency.records);
            line("p50, ms", format!("{:.0}", latency.p50), "");
            line("p90, ms", format!("{:.0}", latency.p90), "");
            line("p99, ms", format!("{:.0}", latency.p99), "floor 1,500, goal 400");
            line("worst, ms", format!("{:.0}", latency.max), "");
            line("cores meanwhile: pipeline", format!("{:.2}", latency.pipeline_cores), "");
            line("cores meanwhile: clickhouse and its prober", format!("{:.2}", latency.clickhouse_cores), "");
            line("cores meanwhile: kafka broker", format!("{:.2}", latency.kafka_cores), "");
            line("cores meanwhile: producer and prober", format!("{:.2}", latency.producer_cores), "");
            line("cores used by neighbours", format!("{:.2}", latency.neighbour_cores), NEIGHBOURS);
            line(
                "the producer was late by at most, ms",
                format!("{:.0}", latency.producer_late),
                "a part of the delays",
            );
            line("p50 and p99 of a reader, ms", format!("{:.0}, {:.0}", latency.read_p50, latency.read_p99), "");
            line("its mean pause between two looks, ms", format!("{:.0}", latency.probe_gap), "a part of what it sees");
            figure("p50_visible_ms", latency.p50, 1);
            figure("p99_visible_ms", latency.p99, 1);
            figure("max_visible_ms", latency.max, 1);
            figure("latency_neighbour_cores", latency.neighbour_cores, 2);
        }
        if let Some(memory) = &self.memory {
            let bytes = memory.bytes_per_case();
            println!("memory of {} open cases", memory.cases);
            line("bytes a case, = MB per million", format!("{bytes:.0}"), "floor 300, goal 150");
            line("resident at start, MB", format!("{:.0}", memory.base as f64 / 1e6), "");
            line("resident after, MB", format!("{:.0}", memory.after as f64 / 1e6), "");
            line("resident at most, MB", format!("{:.0}", memory.peak as f64 / 1e6), "");
            line("resident after a restart, MB", format!("{:.0}", memory.restored as f64 / 1e6), "");
            line("kill -9, restart to first new row, s", format!("{:.2}", memory.first_row_seconds), "floor 5");
            line("the same to the last partition ready, s", format!("{:.2}", memory.restore_seconds), "");
            figure("bytes_per_open_case", bytes, 1);
            let restored = memory.restored.saturating_sub(memory.base) as f64 / memory.cases.max(1) as f64;
            figure("bytes_per_restored_case", restored, 1);
            figure("restart_first_row_s", memory.first_row_seconds, 2);
            figure("restore_s", memory.restore_seconds, 2);
            figure("base_rss_mb", memory.base as f64 / 1e6, 1);
        }
        println!();
        Value::Object(figures)
    }
}
