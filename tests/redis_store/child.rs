//! Another process that has the turn: this program, started again.

use std::io::{BufRead, BufReader, Lines, Write, stdin};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use tower_oauth2::store::{RedisStore, TokenStore};

use crate::server::{Redis, signal};
use crate::{entry, key};

pub(crate) struct Holder {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    /// Returns when it has the turn.
    pub(crate) fn start(redis: &Redis, lease: Duration) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child::the_holder", "--exact", "--ignored", "--nocapture"])
            .env("REDIS_URL", redis.url())
            .env("LEASE", lease.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut holder = Self { child, orders, answers };
        holder.answer("holds ");
        holder
    }

    /// Has it save this generation, and returns what came of it.
    pub(crate) fn save(&mut self, generation: u64) -> String {
        writeln!(self.orders, "{generation}").unwrap();
        self.answer("saved ")
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(name, &self.child.id().to_string());
    }

    /// The test program says things of its own.
    fn answer(&mut self, begins: &str) -> String {
        loop {
            let line = self.answers.next().expect("the holder lives").unwrap();
            if let Some((_, answer)) = line.split_once(begins) {
                return answer.to_owned();
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
    let mut turn = runtime.block_on(store.lock(&key())).unwrap();
    println!("holds {turn:?}");
    for generation in stdin().lines() {
        let entry = entry(generation.unwrap().parse().unwrap());
        println!("saved {:?}", runtime.block_on(store.save(&key(), &entry, &mut turn)));
    }
}
