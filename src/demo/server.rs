//! The ClickHouse of the demo: `deploy/local/clickhouse.sh exec` as a child that we hold by its standard input.
//! Owner: the session. Invariants: the server dies with us however we die (its input closes with our last descriptor);
//! Ctrl-C of the terminal reaches only us, so the drain still finds its server; dropping it ends it within seconds.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::DemoError;

const SCRIPT: &str = "deploy/local/clickhouse.sh";
/// Another instance may have taken the port between the choice and the start.
const ATTEMPTS: usize = 3;
const END_WITHIN: Duration = Duration::from_secs(15);

/// A running server.
pub struct Server {
    child: Child,
    pub url: String,
    /// Its files are wanted afterwards, so it is given the time to end cleanly.
    keeps_data: bool,
}

/// The script of this checkout.
pub fn script() -> Result<PathBuf, DemoError> {
    let path = PathBuf::from(SCRIPT);
    let found = path.canonicalize().ok().filter(|path| path.is_file());
    found.ok_or(DemoError::NoScripts { script: path })
}

/// Starts a server whose files are below `folder`, and waits until it answers.
pub async fn start(folder: &Path, keeps_data: bool) -> Result<Server, DemoError> {
    let script = script()?;
    let mut fetch = tokio::process::Command::new(&script);
    let fetched = fetch.arg("fetch").stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).status().await;
    if !fetched.map_err(DemoError::Script)?.success() {
        return Err(DemoError::NoServer("it could not be fetched, the reason is above".to_owned()));
    }
    let mut attempt = 1;
    loop {
        match start_once(&script, folder, keeps_data).await {
            Err(DemoError::NoServer(_)) if attempt < ATTEMPTS => attempt += 1,
            outcome => return outcome,
        }
    }
}

async fn start_once(script: &Path, folder: &Path, keeps_data: bool) -> Result<Server, DemoError> {
    let pid = folder.join("clickhouse/pid");
    let _ = std::fs::remove_file(&pid); // of the attempt before
    let console = folder.join("clickhouse.log");
    let output = File::create(&console).map_err(DemoError::Script)?;
    let mut command = Command::new(script);
    command.arg("exec").env("TSUR_LOCAL_DIR", folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(output).process_group(0);
    let mut server = Server { child: command.spawn().map_err(DemoError::Script)?, url: String::new(), keeps_data };
    let reason = |text: &str| DemoError::NoServer(text.trim().to_owned());

    // `wait` takes a missing pid for a server that has ended, so it may only be asked once there is one
    let deadline = Instant::now() + Duration::from_secs(20);
    while !pid.exists() {
        if server.child.try_wait().map_err(DemoError::Script)?.is_some() || Instant::now() > deadline {
            return Err(reason(&std::fs::read_to_string(&console).unwrap_or_default()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let waited = ask(script, folder, "wait").await?;
    if !waited.status.success() {
        return Err(reason(&String::from_utf8_lossy(&waited.stderr)));
    }
    let said = ask(script, folder, "env").await?;
    let said = String::from_utf8_lossy(&said.stdout);
    let url = said.trim().strip_prefix("export TSUR_CLICKHOUSE_URL=").unwrap_or_default();
    if url.is_empty() {
        return Err(reason("its address is not known"));
    }
    url.clone_into(&mut server.url);
    Ok(server)
}

async fn ask(script: &Path, folder: &Path, what: &str) -> Result<std::process::Output, DemoError> {
    let mut command = tokio::process::Command::new(script);
    command.arg(what).env("TSUR_LOCAL_DIR", folder).stdin(Stdio::null()).kill_on_drop(true);
    command.output().await.map_err(DemoError::Script)
}

impl Server {
    /// It is gone although we still want it.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.keeps_data && !self.has_ended() {
            // the whole group, because a real server is the child of a shell; an error: it has ended
            let group = format!("-{}", self.child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        }
        drop(self.child.stdin.take()); // this is how it is told to end
        let deadline = Instant::now() + END_WITHIN;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.child.kill(); // an error: it has ended meanwhile
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
