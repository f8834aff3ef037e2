//! A real Redis server that the test can pause and kill.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{ProcessGuard, spawn};

/// Redis writes to the disk before it responds (`appendfsync always`), because a saved token must survive a crash. By default it loses the
/// last second, and with it the newest refresh token.
const SCRIPT: &str = r#"
redis-server --bind 127.0.0.1 --port "$PORT" --dir "$1" --save '' --appendonly yes --appendfsync always >/dev/null 2>&1 &
echo $!
cat >/dev/null
kill -CONT $! 2>/dev/null
kill -KILL $! 2>/dev/null
"#;

pub(crate) struct Redis {
    port: u16,
    folder: PathBuf,
    pid: String,
    _guard: Option<ProcessGuard>,
}

impl Redis {
    pub(crate) fn start() -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("processes-redis-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).map_err(|why| why.to_string())?;
        let mut redis = Self { port: port.port(), folder, pid: String::new(), _guard: None };
        redis.run()?;
        Ok(redis)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Pauses it: it accepts connections and does not respond.
    pub(crate) fn stop(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    /// Kills it.
    pub(crate) fn crash(&self) {
        self.signal("-KILL");
    }

    /// Starts it again with the data on the disk.
    pub(crate) fn restart(&mut self) {
        self.run().unwrap();
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.pid]).status().unwrap().success(), "kill {signal}");
    }

    fn run(&mut self) -> Result<(), String> {
        let (guard, mut lines) = spawn(SCRIPT, &self.folder, &[("PORT", &self.port.to_string())])?;
        self.pid = lines.next().ok_or("it did not start")?.map_err(|why| why.to_string())?;
        for _ in 0..100 {
            if self.responds().is_some() {
                self._guard = Some(guard);
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("it does not respond; Debian has it in `redis-server`".to_owned())
    }

    fn responds(&self) -> Option<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        stream.write_all(b"PING\r\n").ok()?;
        let mut response = [0; 7];
        stream.read_exact(&mut response).ok()?;
        (&response == b"+PONG\r\n").then_some(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", &self.pid]).stderr(std::process::Stdio::null()).status();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
