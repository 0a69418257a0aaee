//! The live picture: one screen of figures, drawn from what was read and from nothing else.
//! Owner: the session. Invariants: pure drawing (no clock, no IO), readable at 100×30, larger terminals get more lines,
//! smaller ones a plain list; data that are old say so in words.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Paragraph};

use super::figures::{Bars, Figures};
use super::lines::{Places, QUESTIONS};
use super::text::{RECORDS, ROWS, ago, clock, counted, cut, date_time, decimal, grouped, megabytes, percent};

/// From here on the panels fit.
const PANELS: (u16, u16) = (90, 27);
/// Older than this, the picture calls itself stale.
const STALE_SECONDS: f64 = 10.0;
const DIM: Style = Style::new().fg(Color::DarkGray);

/// What is drawn.
pub struct View<'a> {
    pub figures: &'a Figures,
    pub places: &'a Places,
    pub is_live: bool,
    /// Records of the history, about.
    pub history: u64,
}

pub fn draw(frame: &mut Frame<'_>, view: &View<'_>) {
    let area = frame.area();
    if area.width < PANELS.0 || area.height < PANELS.1 {
        return draw_list(frame, view, area);
    }
    let (bars, latest) = match area.height - 2 - 5 - 5 - 8 {
        rest @ 0..=13 => (rest, 0),
        rest => (rest - (rest - 9).min(10), (rest - 9).min(10)),
    };
    let [head, tiles, lists, feed, flow, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(5),
        Constraint::Length(bars),
        Constraint::Length(latest),
        Constraint::Length(5),
        Constraint::Length(8),
    ])
    .areas(area);
    draw_head(frame, view, head);
    draw_tiles(frame, view.figures, tiles);
    let [left, right] = Layout::horizontal([Constraint::Percentage(50); 2]).areas(lists);
    draw_bars(frame, "Открыто по блокам, ! просрочено", &view.figures.blocks, left);
    draw_bars(frame, "По территориям", &view.figures.territories, right);
    if latest > 2 {
        draw_latest(frame, view.figures, feed);
    }
    frame.render_widget(Paragraph::new(flow_lines(view)).block(panel("Конвейер")), flow);
    frame.render_widget(Paragraph::new(foot_lines(view.places, foot)).block(panel("Попробуйте сами")), foot);
}

fn panel(title: &str) -> Block<'_> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(DIM)
        .title(Span::styled(format!(" {title} "), Style::new().fg(Color::Cyan)))
}

/// How fresh the data are, in words.
fn freshness(view: &View<'_>) -> Line<'static> {
    let figures = view.figures;
    if let Some(trouble) = &figures.trouble {
        return Line::from(cut(&format!("ДАННЫЕ НЕ ОБНОВЛЯЮТСЯ: {}", trouble.replace('\n', " ")), 150)).red().bold();
    }
    match figures.age() {
        None => Line::from("данных ещё нет").yellow(),
        Some(_) if !view.is_live => {
            let (done, all) = (figures.rows.total(), view.history);
            let share = (done * 100 / all.max(1)).min(100);
            Line::from(format!("загружается история: {}, {share} %", counted(done, RECORDS))).yellow()
        }
        Some(age) if age < STALE_SECONDS => Line::from(format!("данные отстают на {} с", decimal(age))).green(),
        Some(age) => Line::from(format!("ДАННЫЕ УСТАРЕЛИ: отстают на {}", ago(age))).red().bold(),
    }
}

fn draw_head(frame: &mut Frame<'_>, view: &View<'_>, area: Rect) {
    let [left, right] = Layout::horizontal([Constraint::Min(0), Constraint::Length(32)]).areas(area);
    let title = Line::from(vec![
        Span::styled(" ЦУР Рязанской области ", Style::new().fg(Color::White).add_modifier(Modifier::BOLD)),
        Span::styled("показ на вымышленных обращениях", DIM),
    ]);
    let mut fresh = freshness(view);
    fresh.spans.insert(0, Span::raw(" "));
    frame.render_widget(Paragraph::new(vec![title, fresh]), left);
    let time = Line::from(format!("{} МСК ", date_time(view.figures.at_millis))).bold().right_aligned();
    frame.render_widget(Paragraph::new(time), right);
}

fn draw_tiles(frame: &mut Frame<'_>, figures: &Figures, area: Rect) {
    let mut widths = vec![Constraint::Min(30)];
    widths.extend([Constraint::Length((area.width.saturating_sub(30) / 5).clamp(12, 20)); 5]);
    let areas = Layout::horizontal(widths).split(area);
    let mut inflow: Vec<Line<'_>> = figures
        .inflow
        .iter()
        .take(3)
        .map(|source| {
            let name = cut(&source.name, 10);
            Line::from(format!("{name:<10}{:>5}/мин {:>6}/ч", grouped(source.minute), grouped(source.hour)))
        })
        .collect();
    if inflow.is_empty() {
        inflow.push(Line::styled("за час ничего", DIM));
    }
    frame.render_widget(Paragraph::new(inflow).block(panel("Приток")), areas[0]);
    let late = if figures.overdue > 0 { Color::Red } else { Color::Green };
    let tiles = [
        ("Открыто", grouped(figures.open), "сейчас".to_owned(), Color::White),
        ("Срок 2 ч", grouped(figures.due), "на ответ".to_owned(), Color::Yellow),
        ("Просрочено", grouped(figures.overdue), percent(figures.overdue, figures.open), late),
        ("Отвечено", grouped(figures.answered_today), "сегодня".to_owned(), Color::Green),
        (
            "Довольны",
            percent(figures.satisfied, figures.reactions),
            figures.rating.map_or_else(String::new, |mark| format!("оценка {}", decimal(mark))),
            Color::White,
        ),
    ];
    for ((title, number, note, colour), area) in tiles.into_iter().zip(areas.iter().skip(1)) {
        let lines = vec![
            Line::styled(number, Style::new().fg(colour).add_modifier(Modifier::BOLD)).centered(),
            Line::default(),
            Line::styled(note, DIM).centered(),
        ];
        frame.render_widget(Paragraph::new(lines).block(panel(title)), *area);
    }
}

/// A bar of eighths of a letter: the longest fills the width.
fn bar(value: u64, largest: u64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (value as u128 * width as u128 * 8 / u128::from(largest.max(1))) as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

fn draw_bars(frame: &mut Frame<'_>, title: &str, bars: &Bars, area: Rect) {
    let (width, lines) = (usize::from(area.width.saturating_sub(2)), usize::from(area.height.saturating_sub(2)));
    let name_width = (width * 2 / 5).min(32);
    let bar_width = width.saturating_sub(name_width + 16);
    let largest = bars.named.first().map_or(0, |bar| bar.open);
    let lines: Vec<Line<'_>> = bars
        .named
        .iter()
        .take(lines)
        .map(|entry| {
            let name = cut(&entry.name, name_width);
            let drawn = bar(entry.open, largest, bar_width);
            let late = if entry.overdue > 0 { Style::new().fg(Color::Red) } else { DIM };
            Line::from(vec![
                Span::raw(format!("{name:<name_width$} ")),
                Span::styled(format!("{drawn:<bar_width$}"), Style::new().fg(Color::Blue)),
                Span::styled(format!("{:>7}", grouped(entry.open)), Style::new().add_modifier(Modifier::BOLD)),
                Span::styled(format!("{:>7}", format!("!{}", grouped(entry.overdue))), late),
            ])
        })
        .collect();
    let unknown = match bars.unknown {
        0 => String::new(),
        count => format!(", не указано {}", grouped(count)),
    };
    let title = format!("{title}{unknown}");
    frame.render_widget(Paragraph::new(lines).block(panel(&title)), area);
}

fn draw_latest(frame: &mut Frame<'_>, figures: &Figures, area: Rect) {
    let lines: Vec<Line<'_>> = figures
        .latest
        .iter()
        .map(|message| {
            Line::from(vec![
                Span::styled(format!("{} ", clock(message.at_millis)), DIM),
                Span::styled(format!("{} ", message.place), Style::new().fg(Color::Cyan)),
                Span::raw(message.text.clone()),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(panel("Последние обращения, личные данные скрыты")), area);
}

fn flow_lines(view: &View<'_>) -> Vec<Line<'static>> {
    let (figures, flow) = (view.figures, &view.figures.flow);
    let (all, recent) = (&figures.rows, &figures.recent);
    vec![
        Line::from(format!(
            "прочитано {} (+{}/с) · в ClickHouse {}/с · ещё не записано {}",
            counted(flow.records_read, RECORDS),
            grouped(flow.records_per_second.round() as u64),
            counted(flow.rows_per_second.round() as u64, ROWS),
            grouped(flow.lag),
        )),
        Line::from(format!(
            "применено {} · повторов {} · отклонено {} · без изменений {}",
            grouped(all.applied),
            grouped(all.duplicate),
            grouped(all.rejected),
            grouped(all.ignored)
        )),
        Line::styled(
            format!(
                "за минуту: применено {}, повторов {}, отклонено {} · в памяти {} дел, {}",
                grouped(recent.applied),
                grouped(recent.duplicate),
                grouped(recent.rejected),
                grouped(flow.cases as u64),
                megabytes(flow.memory)
            ),
            DIM,
        ),
    ]
}

fn foot_lines(places: &Places, area: Rect) -> Vec<Line<'static>> {
    let width = usize::from(area.width.saturating_sub(2));
    let mut lines = vec![Line::from(vec![
        Span::styled("Kafka ", DIM),
        Span::raw(places.kafka.clone()),
        Span::styled(format!(" ({})  ", places.topics.join(", ")), DIM),
        Span::styled("ClickHouse ", DIM),
        Span::raw(format!("{} {}", places.clickhouse, places.database)),
    ])];
    lines.extend(QUESTIONS.iter().map(|question| Line::from(cut(question, width))));
    lines.push(Line::styled(places.curl(QUESTIONS[2]), Style::new().fg(Color::Yellow)));
    lines.push(Line::from(vec![
        Span::raw("q").bold(),
        Span::styled(format!(" или Ctrl-C – выход · метрики {}", places.metrics), DIM),
    ]));
    lines
}

/// For a small terminal: the most important first, cut where the space ends.
fn draw_list(frame: &mut Frame<'_>, view: &View<'_>, area: Rect) {
    let figures = view.figures;
    let mut lines = vec![
        Line::from(format!("ЦУР · {} МСК", date_time(figures.at_millis))).bold(),
        freshness(view),
        Line::from(format!("открыто {}", grouped(figures.open))),
        Line::from(format!("просрочено {}", grouped(figures.overdue))),
        Line::from(format!("срок 2 ч: {}", grouped(figures.due))),
        Line::from(format!("отвечено сегодня {}", grouped(figures.answered_today))),
    ];
    lines.extend(figures.inflow.iter().map(|source| {
        Line::from(format!("{}: {}/мин, {}/ч", source.name, grouped(source.minute), grouped(source.hour)))
    }));
    lines.extend(flow_lines(view));
    lines.push(Line::from(format!("Kafka {}", view.places.kafka)));
    lines.push(Line::from(format!("ClickHouse {} {}", view.places.clickhouse, view.places.database)));
    lines.truncate(usize::from(area.height.saturating_sub(1)));
    lines.push(Line::styled("q – выход", DIM));
    frame.render_widget(Paragraph::new(lines), area);
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
