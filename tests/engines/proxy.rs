//! A small TCP proxy between the processes of a test and a real engine, so that one test can take the engine away without
//! stopping it for the others. Owner: the test; its threads end with the process.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Mode {
    Pass,
    /// Every connection, old or new, is closed.
    Cut,
    /// Connections stay open and nothing moves.
    Hang,
    /// Requests arrive, and instead of the answer the connection is closed.
    LoseReplies,
}

const MODES: [Mode; 4] = [Mode::Pass, Mode::Cut, Mode::Hang, Mode::LoseReplies];

struct Shared {
    mode: AtomicU8,
    open: Mutex<Vec<TcpStream>>,
    lost_replies: AtomicU64,
}

impl Shared {
    fn mode(&self) -> Mode {
        MODES[usize::from(self.mode.load(Ordering::SeqCst))]
    }
}

pub struct Proxy {
    address: String,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Passes everything on to `target` (`host:port`) at first.
    pub fn before(target: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let shared =
            Arc::new(Shared { mode: AtomicU8::new(0), open: Mutex::default(), lost_replies: AtomicU64::new(0) });
        let (target, state) = (target.to_owned(), shared.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if state.mode() != Mode::Cut {
                    serve(client, &target, &state);
                }
            }
        });
        Proxy { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set(&self, mode: Mode) {
        self.shared.mode.store(mode as u8, Ordering::SeqCst);
        if mode == Mode::Cut {
            for stream in self.shared.open.lock().expect("a lock").drain(..) {
                let _ = stream.shutdown(Shutdown::Both); // closed by its owner already
            }
        }
    }

    /// Answers that were thrown away.
    pub fn lost_replies(&self) -> u64 {
        self.shared.lost_replies.load(Ordering::SeqCst)
    }
}

fn serve(client: TcpStream, target: &str, shared: &Arc<Shared>) {
    let Ok(server) = TcpStream::connect(target) else { return };
    let pairs = [(client.try_clone(), server.try_clone(), false), (server.try_clone(), client.try_clone(), true)];
    shared.open.lock().expect("a lock").extend([client, server]);
    for (from, to, is_reply) in pairs {
        let (Ok(from), Ok(to)) = (from, to) else { return };
        let shared = shared.clone();
        std::thread::spawn(move || carry(from, to, is_reply, &shared));
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, is_reply: bool, shared: &Shared) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        while shared.mode() == Mode::Hang {
            std::thread::sleep(Duration::from_millis(10));
        }
        if is_reply && shared.mode() == Mode::LoseReplies {
            shared.lost_replies.fetch_add(1, Ordering::SeqCst);
            break;
        }
        if shared.mode() == Mode::Cut || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both); // the other direction may have done it
    let _ = to.shutdown(Shutdown::Both);
}
