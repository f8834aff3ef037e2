//! A Redis server for one test.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tower_oauth2::store::RedisStore;

use crate::or_skip::or_skip;
use crate::process::{ProcessGuard, spawn};

/// A server on a free port, stopped on drop.
pub(crate) struct Redis {
    port: u16,
    folder: PathBuf,
    options: String,
    process: String,
    _guard: ProcessGuard,
}

pub(crate) const PASSWORD: &str = "hunter2";

/// Stores nothing on disk, so that it is empty after a restart.
const SCRIPT: &str = r#"
redis-server --port "$PORT" --bind 127.0.0.1 --dir "$1" --save '' --appendonly no --requirepass hunter2 $OPTIONS \
    </dev/null >/dev/null 2>&1 &
echo $!
cat >/dev/null
kill -KILL $!
"#;

impl Redis {
    /// Starts a server, or returns `None` and prints that the test is skipped if Redis is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(String::new)
    }

    /// Starts a server with further command line options.
    pub(crate) fn start_with(options: impl FnOnce() -> String) -> Option<Self> {
        let there = Command::new("redis-server").arg("--version").output();
        let there = there.map(|_| ()).map_err(|why| format!("{why}; Debian has it in the package `redis-server`"));
        or_skip("redis-server", &there)?;
        Some(Self::on_a_free_port(options()))
    }

    fn on_a_free_port(options: String) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("redis-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            // Another program may have taken the port in the meantime.
            if let Some((process, guard)) = run(port, &folder, &options) {
                return Self { port, folder, options, process, _guard: guard };
            }
        }
        panic!("redis-server does not start");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    pub(crate) fn store(&self) -> RedisStore {
        RedisStore::new(self.url()).unwrap()
    }

    /// Returns a connection without a store, like that of `redis-cli`.
    pub(crate) fn raw(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    pub(crate) fn ask<T: redis::FromRedisValue>(&self, command: &str) -> T {
        let mut words = command.split_whitespace();
        let mut command = redis::cmd(words.next().unwrap());
        words.for_each(|word| _ = command.arg(word));
        command.query(&mut self.raw()).unwrap()
    }

    /// Returns all keys and values.
    pub(crate) fn dump(&self) -> String {
        let mut all = String::new();
        for key in self.ask::<Vec<String>>("KEYS *") {
            let value: redis::Value = match &*self.ask::<String>(&format!("TYPE {key}")) {
                "hash" => self.ask(&format!("HGETALL {key}")),
                _ => self.ask(&format!("GET {key}")),
            };
            all.push_str(&format!("{key} {value:?}\n"));
        }
        all
    }

    /// Pauses the process: the system accepts connections, but there are no responses.
    pub(crate) fn pause(&self) {
        signal("-STOP", &self.process);
    }

    pub(crate) fn resume(&self) {
        signal("-CONT", &self.process);
    }

    pub(crate) fn kill(&self) {
        signal("-KILL", &self.process);
        wait_for(|| TcpStream::connect(("127.0.0.1", self.port)).is_err());
    }

    /// Starts the server again on the same port, after a [`kill`](Self::kill).
    pub(crate) fn restart(&mut self) {
        let started = || run(self.port, &self.folder, &self.options);
        (self.process, self._guard) = started().or_else(started).expect("it restarts");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        signal("-KILL", &self.process);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn run(port: u16, folder: &Path, options: &str) -> Option<(String, ProcessGuard)> {
    let (guard, mut lines) = spawn(SCRIPT, folder, &[("PORT", &port.to_string()), ("OPTIONS", options)]).unwrap();
    let process = lines.next()?.unwrap();
    let info = || {
        let client = redis::Client::open(format!("redis://:{PASSWORD}@127.0.0.1:{port}")).unwrap();
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(1)).ok()?;
        redis::cmd("INFO").arg("server").query::<String>(&mut connection).ok()
    };
    // The response must come from this process, not from the server of another test.
    let is_ready = || info().is_some_and(|info| info.contains(&format!("process_id:{process}\r")));
    wait_for(is_ready).then_some((process, guard))
}

fn wait_for(condition: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        if condition() {
            return true;
        }
        sleep(Duration::from_millis(20));
    }
    false
}

pub(crate) fn signal(signal: &str, process: &str) {
    let _ = Command::new("kill").args([signal, process]).status();
}
