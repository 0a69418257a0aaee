//! The terminal: entered, drawn on, and given back as it was, also after an error or a panic.
//! Owner: the session. Invariant: while a `Screen` lives the terminal is ours; dropping it restores everything.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::DefaultTerminal;
use ratatui::Frame;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// How often the key thread looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);

/// What the user did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    Quit,
    Redraw,
}

pub struct Screen {
    terminal: DefaultTerminal,
    pub input: UnboundedReceiver<Input>,
    closed: Arc<AtomicBool>,
}

impl Screen {
    /// Raw mode, alternate screen, and a panic hook that leaves both before the message.
    pub fn open() -> io::Result<Screen> {
        let terminal = ratatui::try_init()?;
        let (sender, input) = unbounded_channel();
        let closed = Arc::new(AtomicBool::new(false));
        let screen = Screen { terminal, input, closed: closed.clone() };
        std::thread::Builder::new().name("tsur-keys".to_owned()).spawn(move || {
            while !closed.load(Ordering::Relaxed) {
                let seen = match event::poll(LOOK) {
                    Ok(true) => event::read().ok().and_then(|event| meaning(&event)),
                    Ok(false) => None,
                    Err(_) => Some(Input::Quit), // the terminal is gone
                };
                if let Some(input) = seen
                    && sender.send(input).is_err()
                {
                    return;
                }
            }
        })?;
        Ok(screen)
    }

    pub fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(picture).map(|_| ())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        ratatui::restore();
    }
}

fn meaning(event: &Event) -> Option<Input> {
    match event {
        Event::Resize(..) => Some(Input::Redraw),
        Event::Key(key) if key.kind != KeyEventKind::Release => match key.code {
            // the second is the same key on a Russian keyboard
            KeyCode::Char('q' | 'Q' | 'й' | 'Й') | KeyCode::Esc => Some(Input::Quit),
            // raw mode turns Ctrl-C into a key like any other
            KeyCode::Char('c' | 'с') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Input::Quit),
            _ => None,
        },
        _ => None,
    }
}
