//! Another process. It prints a line for each thing that it has done, and runs until its input is closed or it is killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::{env, io};

use tower_oauth2::store::{FileStore, TokenStore};

use crate::support::{entry, key, put, small};

/// The path of the store. Without it, the tests of this file do nothing: they are not running as a child process.
const STORE: &str = "TOWER_OAUTH2_TEST_STORE";

/// A child process, killed on drop.
pub(crate) struct Process {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Process {
    /// Starts the test `child::{task}` with this store.
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

    /// Returns the next line that it has printed, or `None` after its end. Lines of the test harness are skipped.
    pub(crate) fn next(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.says.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The harness starts a line, which the first line of the child continues.
            if let Some((_, word)) = line.rsplit_once("> ") {
                return line.ends_with('\n').then(|| word.trim_end().to_owned());
            }
        }
    }

    /// Kills it, and returns the lines that were not read yet.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Waits for its successful end.
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
    // The input ends with the parent process, even if that is killed, so no child is left behind.
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(1);
    });
    Some(FileStore::new(path))
}

fn print(line: impl ToString) {
    let mut out = io::stdout().lock();
    writeln!(out, "> {}", line.to_string()).and_then(|()| out.flush()).unwrap();
}

async fn generation(store: &FileStore) -> u64 {
    store.load(&key()).await.unwrap().map_or(0, |entry| entry.generation)
}

/// Saves one version after another, without end.
#[tokio::test]
async fn saves() {
    let Some(store) = store() else { return };
    let mut lock = store.lock(&key()).await.unwrap();
    for next in generation(&store).await + 1.. {
        store.save(&key(), &entry(next), &mut lock).await.unwrap();
        print(next);
    }
}

/// Holds the lock without end.
#[tokio::test]
async fn holds_the_lock() {
    let Some(store) = store() else { return };
    let lock = store.lock(&key()).await.unwrap();
    print("locked");
    std::future::pending::<()>().await;
    drop(lock);
}

/// Increments the version, with the lock.
#[tokio::test]
async fn counts() {
    let Some(store) = store() else { return };
    for _ in 0..crate::locks::COUNTS {
        let mut lock = store.lock(&key()).await.unwrap();
        let next = generation(&store).await + 1;
        store.save(&key(), &small(next), &mut lock).await.unwrap();
    }
}

/// Saves, and prints if the entry has been removed by then.
#[tokio::test]
async fn saves_and_checks() {
    let Some(store) = store() else { return };
    for next in 1.. {
        put(&store, &small(next)).await;
        if store.load(&key()).await.unwrap().is_none() {
            print(next);
        }
    }
}
