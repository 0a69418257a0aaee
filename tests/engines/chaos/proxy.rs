//! The network between one process and one engine: a TCP proxy that can slow down, hold back, cut and answer by itself.
//! Owner: the run. Invariants: bytes arrive in order or not at all; what is held back by a cut arrives when the cut is
//! healed, as on a real network, so a request of a former owner may land late.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the proxy does to what passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Pass,
    /// Nothing passes in either direction; no connection is closed.
    Cut,
    /// So many bytes a second on each connection.
    Throttle(u32),
    /// Requests pass, their answers vanish with the connection.
    DropReplies,
    /// Inserts are answered with this exception of ClickHouse and do not reach it; all else passes.
    RefuseInserts(Exception),
}

/// A refusal that ClickHouse gives under load or in a bad moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exception {
    pub code: u16,
    pub text: &'static str,
}

/// Refusals that a repetition cures.
pub const EXCEPTIONS: [Exception; 4] = [
    Exception {
        code: 252,
        text: "Too many parts (3000). Merges are processing significantly slower than inserts. (TOO_MANY_PARTS)",
    },
    Exception { code: 241, text: "Memory limit (total) exceeded: would use 8.00 GiB. (MEMORY_LIMIT_EXCEEDED)" },
    Exception { code: 242, text: "Table is in readonly mode. (TABLE_IS_READ_ONLY)" },
    Exception { code: 202, text: "Too many simultaneous queries. Maximum: 128. (TOO_MANY_SIMULTANEOUS_QUERIES)" },
];

/// A piece of a stream; small, so that a throttled stream trickles.
const PIECE: usize = 8 * 1024;
/// A sender that was silent for so long has sent its request.
const QUIET: Duration = Duration::from_millis(100);

struct Shared {
    mode: watch::Receiver<Mode>,
    /// Zero until the engine has started.
    upstream: AtomicU16,
    /// Answers that were dropped or given by the proxy itself.
    disturbed: AtomicU64,
}

/// One proxy; it ends with the runtime.
pub struct Proxy {
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    shared: Arc<Shared>,
}

impl Proxy {
    pub async fn start() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (mode, inbox) = watch::channel(Mode::Pass);
        let shared = Arc::new(Shared { mode: inbox, upstream: AtomicU16::new(0), disturbed: AtomicU64::new(0) });
        let passing = shared.clone();
        tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((client, _)) => drop(tokio::spawn(relay(client, passing.clone()))),
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await, // out of descriptors for a moment
                }
            }
        });
        Proxy { address, mode, shared }
    }

    pub fn lead_to(&self, port: u16) {
        self.shared.upstream.store(port, Ordering::Release);
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// How often it dropped an answer or gave one of its own.
    pub fn disturbed(&self) -> u64 {
        self.shared.disturbed.load(Ordering::Relaxed)
    }
}

/// One connection, until either side ends it. That an end of it fails is what the test is about, so errors end it silently.
async fn relay(mut client: TcpStream, shared: Arc<Shared>) {
    let mut mode = shared.mode.clone();
    let port = shared.upstream.load(Ordering::Acquire);
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true)); // only slower without
    let (mut up, mut down) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(length) = read else { return };
                while_cut(&mut mode).await;
                let now = *mode.borrow();
                if length == 0 {
                    let _ = server.shutdown().await; // the last bytes of a client that went away arrive all the same
                    return;
                }
                if let Mode::RefuseInserts(exception) = now && is_insert(&up[..length]) {
                    shared.disturbed.fetch_add(1, Ordering::Relaxed);
                    refuse(&mut client, exception, &mut up).await;
                    return;
                }
                throttle(now, length).await;
                if server.write_all(&up[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(length) = read else { return };
                while_cut(&mut mode).await;
                let now = *mode.borrow();
                if length == 0 {
                    return;
                }
                if now == Mode::DropReplies {
                    shared.disturbed.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                throttle(now, length).await;
                if client.write_all(&down[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn while_cut(mode: &mut watch::Receiver<Mode>) {
    // the sender is gone only at the end of the run
    let _ = mode.wait_for(|mode| *mode != Mode::Cut).await;
}

async fn throttle(mode: Mode, length: usize) {
    if let Mode::Throttle(rate) = mode {
        tokio::time::sleep(Duration::from_secs_f64(length as f64 / f64::from(rate.max(1)))).await;
    }
}

/// A request begins in a piece of its own, because the client waits for the answer of the one before.
fn is_insert(piece: &[u8]) -> bool {
    piece.starts_with(b"POST /")
        && piece.windows(7).any(|word| word == b"INSERT+" || word == b"INSERT " || word == b"INSERT%")
}

async fn refuse(client: &mut TcpStream, exception: Exception, piece: &mut [u8]) {
    // a client that is still writing would see a broken pipe instead of the answer
    while let Ok(Ok(length)) = tokio::time::timeout(QUIET, client.read(piece)).await {
        if length == 0 {
            return;
        }
    }
    let body = format!("Code: {}. DB::Exception: {}", exception.code, exception.text);
    let answer = format!(
        "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nX-ClickHouse-Exception-Code: {}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        exception.code,
        body.len()
    );
    let _ = client.write_all(answer.as_bytes()).await; // gone, then it needs no answer
    let _ = client.shutdown().await;
}
