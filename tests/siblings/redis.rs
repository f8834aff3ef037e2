//! A real Redis server, that can be paused and killed.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::keeper::{Leash, keep};

/// Every write is on the disk before it is answered (`appendfsync always`). The store promises that what it has saved stays
/// saved; by its own default Redis would forget the last second, and with it the only refresh token that is not spent.
const KEEPER: &str = r#"
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
    _leash: Option<Leash>,
}

impl Redis {
    pub(crate) fn start() -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("siblings-redis-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).map_err(|why| why.to_string())?;
        let mut redis = Self { port: port.port(), folder, pid: String::new(), _leash: None };
        redis.run()?;
        Ok(redis)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on it takes what is sent and says nothing.
    pub(crate) fn stop(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    /// As when the machine's power fails.
    pub(crate) fn crash(&self) {
        self.signal("-KILL");
    }

    /// Another one in the same place, with what the last one has written.
    pub(crate) fn restart(&mut self) {
        self.run().unwrap();
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.pid]).status().unwrap().success(), "kill {signal}");
    }

    fn run(&mut self) -> Result<(), String> {
        let (leash, mut lines) = keep(KEEPER, &self.folder, &[("PORT", &self.port.to_string())])?;
        self.pid = lines.next().ok_or("it did not start")?.map_err(|why| why.to_string())?;
        for _ in 0..100 {
            if self.answers().is_some() {
                self._leash = Some(leash);
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("it does not answer; Debian has it in `redis-server`".to_owned())
    }

    fn answers(&self) -> Option<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        stream.write_all(b"PING\r\n").ok()?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).ok()?;
        (&answer == b"+PONG\r\n").then_some(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", &self.pid]).stderr(std::process::Stdio::null()).status();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
