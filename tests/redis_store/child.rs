//! Another process that holds the lock: this program, started again.

use std::io::{BufRead, BufReader, Lines, Write, stdin};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use tower_oauth2::store::{RedisStore, TokenStore};

use crate::server::{Redis, signal};
use crate::{entry, key};

pub(crate) struct Holder {
    child: Child,
    requests: ChildStdin,
    responses: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    /// Starts the process and waits until it holds the lock.
    pub(crate) fn start(redis: &Redis, lease: Duration) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child::the_holder", "--exact", "--ignored", "--nocapture"])
            .env("REDIS_URL", redis.url())
            .env("LEASE", lease.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = child.stdin.take().unwrap();
        let responses = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut holder = Self { child, requests, responses };
        holder.response("holds ");
        holder
    }

    /// Makes it save this version, and returns the result.
    pub(crate) fn save(&mut self, generation: u64) -> String {
        writeln!(self.requests, "{generation}").unwrap();
        self.response("saved ")
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(name, &self.child.id().to_string());
    }

    /// Reads the next response. The test harness prints other lines.
    fn response(&mut self, prefix: &str) -> String {
        loop {
            let line = self.responses.next().expect("the holder is running").unwrap();
            if let Some((_, response)) = line.split_once(prefix) {
                return response.to_owned();
            }
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
#[ignore = "not a test: the other process of the tests in `lease.rs`"]
fn the_holder() {
    let Ok(url) = std::env::var("REDIS_URL") else { return };
    let lease = Duration::from_millis(std::env::var("LEASE").unwrap().parse().unwrap());
    let store = RedisStore::new(url).unwrap().lease(lease);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut lock = runtime.block_on(store.lock(&key())).unwrap();
    println!("holds {lock:?}");
    for generation in stdin().lines() {
        let entry = entry(generation.unwrap().parse().unwrap());
        println!("saved {:?}", runtime.block_on(store.save(&key(), &entry, &mut lock)));
    }
}
