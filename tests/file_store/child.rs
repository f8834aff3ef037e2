//! Another process. It says what it has done on its standard output, a line each, and ends when it is told to or killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::{env, io};

use tower_oauth2::store::{FileStore, TokenStore};

use crate::support::{entry, key, put, small};

/// The path of the store; a test of this file without it is not a child, and does nothing.
const STORE: &str = "TOWER_OAUTH2_TEST_STORE";

/// One that is killed in the end.
pub(crate) struct Process {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Process {
    /// Starts the test `child::{task}` over this store.
    pub(crate) fn start(task: &str, store: &Path) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([&format!("child::{task}"), "--exact", "--nocapture", "--test-threads=1"])
            .env(STORE, store)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        Self { child, says }
    }

    /// The next thing that it has done; `None` after its end. What the test harness says is not its word.
    pub(crate) fn next(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.says.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The harness begins a line, and the first word of ours ends it.
            if let Some((_, word)) = line.rsplit_once("> ") {
                return line.ends_with('\n').then(|| word.trim_end().to_owned());
            }
        }
    }

    /// SIGKILL, at whatever it does; then all that it had done, and we have not heard yet.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Waits for its end, which must be a good one.
    pub(crate) fn done(mut self) {
        while self.next().is_some() {}
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn store() -> Option<FileStore> {
    let path = env::var_os(STORE)?;
    // Our input ends with whoever started us, however they end. Nobody is left behind.
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(1);
    });
    Some(FileStore::new(path))
}

fn say(word: impl ToString) {
    let mut out = io::stdout().lock();
    writeln!(out, "> {}", word.to_string()).and_then(|()| out.flush()).unwrap();
}

async fn generation(store: &FileStore) -> u64 {
    store.load(&key()).await.unwrap().map_or(0, |entry| entry.generation)
}

/// Saves one generation after the other, for ever.
#[tokio::test]
async fn saves() {
    let Some(store) = store() else { return };
    let mut turn = store.lock(&key()).await.unwrap();
    for next in generation(&store).await + 1.. {
        store.save(&key(), &entry(next), &mut turn).await.unwrap();
        say(next);
    }
}

/// Has the turn, for ever.
#[tokio::test]
async fn has_the_turn() {
    let Some(store) = store() else { return };
    let turn = store.lock(&key()).await.unwrap();
    say("mine");
    std::future::pending::<()>().await;
    drop(turn);
}

/// Counts up by one, in turn with others.
#[tokio::test]
async fn counts() {
    let Some(store) = store() else { return };
    for _ in 0..crate::locks::COUNTS {
        let mut turn = store.lock(&key()).await.unwrap();
        let next = generation(&store).await + 1;
        store.save(&key(), &small(next), &mut turn).await.unwrap();
    }
}

/// Saves, and says so when somebody has removed it by then.
#[tokio::test]
async fn saves_and_looks() {
    let Some(store) = store() else { return };
    for next in 1.. {
        put(&store, &small(next)).await;
        if store.load(&key()).await.unwrap().is_none() {
            say(next);
        }
    }
}
