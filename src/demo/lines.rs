//! The demo without a terminal: one plain line a second, and the summary both kinds of demo end with.
//! Owner: the session. Invariant: UTF-8 text and nothing else, no control codes.

use super::figures::Figures;
use super::text::{RECORDS, ROWS, ago, clock, counted, decimal, grouped, percent};

/// Where the demo can be reached.
#[derive(Clone, Debug, Default)]
pub struct Places {
    pub kafka: String,
    pub topics: Vec<String>,
    pub clickhouse: String,
    pub database: String,
    /// The user and whether there is a password, which is never shown.
    pub user: Option<(String, bool)>,
    pub metrics: String,
}

/// Three questions worth asking.
pub const QUESTIONS: [&str; 3] = [
    "SELECT block, sum(open), sum(overdue) FROM v_backlog_now GROUP BY block ORDER BY 2 DESC",
    "SELECT case_id, territory, holder, due FROM v_overdue ORDER BY overdue_seconds DESC LIMIT 10",
    "SELECT * FROM v_accounting",
];

impl Places {
    /// All addresses in one line.
    pub fn line(&self) -> String {
        format!(
            "Kafka {} ({}), ClickHouse {} база {}, метрики {}",
            self.kafka,
            self.topics.join(", "),
            self.clickhouse,
            self.database,
            self.metrics
        )
    }

    /// A whole line for the shell.
    pub fn curl(&self, question: &str) -> String {
        let user = match &self.user {
            None => String::new(),
            Some((user, false)) => format!(" -u '{user}:'"),
            Some((user, true)) => format!(" -u \"{user}:$TSUR_CLICKHOUSE_PASSWORD\""),
        };
        format!("curl -s{user} '{}/?database={}' -d '{question} FORMAT Pretty'", self.clickhouse, self.database)
    }
}

/// One line of the log.
pub fn line(figures: &Figures, is_live: bool) -> String {
    let flow = &figures.flow;
    let age = match figures.age() {
        None => "данных ещё нет".to_owned(),
        Some(_) if !is_live => "загружается история".to_owned(),
        Some(age) if age < 60.0 => format!("отставание {} с", decimal(age)),
        Some(age) => format!("данные устарели: отстают на {}", ago(age)),
    };
    let mut line = format!(
        "{} записей {} (+{}/с), строк {}, открыто {}, просрочено {}, срок 2 ч: {}, {age}",
        clock(figures.at_millis),
        grouped(flow.records_read),
        grouped(flow.records_per_second.round() as u64),
        grouped(figures.rows.total()),
        grouped(figures.open),
        grouped(figures.overdue),
        grouped(figures.due),
    );
    if let Some(trouble) = figures.trouble.as_ref().or(flow.trouble.as_ref()) {
        line.push_str("; внимание: ");
        line.push_str(&trouble.replace('\n', " "));
    }
    line
}

/// How the demo ended.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub figures: Figures,
    pub seconds: f64,
    /// Records in Kafka and rows in the journal; `None` when there was no time to count.
    pub accounting: Option<(u64, u64)>,
    pub places: Places,
    /// How to look at what was kept.
    pub kept: Option<String>,
}

impl Summary {
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        match self.accounting {
            Some((records, rows)) => {
                lines.push(format!("учёт сошёлся: {} = {}", counted(records, RECORDS), counted(rows, ROWS)));
            }
            None => lines.push("прервано, учёт не проверен".to_owned()),
        }
        let figures = &self.figures;
        let rows = &figures.rows;
        lines.push(format!(
            "применено {}, повторов {}, отклонено {}, без изменений {}; работали {} с",
            grouped(rows.applied),
            grouped(rows.duplicate),
            grouped(rows.rejected),
            grouped(rows.ignored),
            decimal(self.seconds)
        ));
        lines.push(format!(
            "открыто {}, просрочено {} ({}), отвечено сегодня {}",
            grouped(figures.open),
            grouped(figures.overdue),
            percent(figures.overdue, figures.open),
            grouped(figures.answered_today)
        ));
        match &self.kept {
            Some(how) => lines.push(format!("данные оставлены: {how}")),
            None => lines.push("данные удалены; во время показа (или с --keep) попробуйте:".to_owned()),
        }
        lines.extend(QUESTIONS.iter().map(|question| format!("  {question}")));
        lines.push(format!("  {}", self.places.curl(QUESTIONS[2])));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::{Flow, Outcomes};
    use super::*;

    #[test]
    fn a_line_says_the_figures_in_russian() {
        let mut figures = Figures {
            at_millis: 1_767_636_903_400,
            newest_millis: Some(1_767_636_903_000),
            rows: Outcomes { applied: 61_010, ..Outcomes::default() },
            open: 4_512,
            overdue: 133,
            due: 48,
            flow: Flow { records_read: 61_234, records_per_second: 1_842.6, ..Flow::default() },
            ..Figures::default()
        };
        assert_eq!(
            line(&figures, true),
            "21:15:03 записей 61 234 (+1 843/с), строк 61 010, открыто 4 512, просрочено 133, срок 2 ч: 48, отставание 0,4 с"
        );
        assert!(line(&figures, false).ends_with("загружается история"));
        figures.at_millis += 600_000;
        assert!(line(&figures, true).ends_with("данные устарели: отстают на 10 минут"));
        assert!(!line(&figures, true).contains(|letter: char| letter.is_control()));
    }

    #[test]
    fn the_summary_counts_with_the_right_endings() {
        let summary = Summary { accounting: Some((61_234, 61_234)), ..Summary::default() };
        assert!(summary.text().starts_with("учёт сошёлся: 61 234 записи = 61 234 строки\n"));
    }

    #[test]
    fn a_password_is_named_and_never_shown() {
        let places = Places { user: Some(("reader".to_owned(), true)), ..Places::default() };
        assert!(places.curl("SELECT 1").contains("reader:$TSUR_CLICKHOUSE_PASSWORD"));
    }
}
