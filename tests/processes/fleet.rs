//! The processes, which run this test binary.

use std::env::current_exe;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

use crate::child::SETTING;
use crate::login::Setting;
use crate::report::Line;

pub(crate) const PROCESSES: usize = 8;

/// An event of a process. Processes are numbered in the order of their start.
pub(crate) enum Event {
    Printed(Line),
    /// It has ended, and all its lines were received.
    Ended,
}

pub(crate) struct Fleet {
    setting: Setting,
    /// By place.
    processes: Vec<Process>,
    started: usize,
    events: mpsc::UnboundedSender<(usize, Event)>,
}

struct Process {
    number: usize,
    child: Child,
    /// The process ends when this is closed.
    stdin: Option<ChildStdin>,
}

impl Fleet {
    pub(crate) fn start(setting: Setting) -> (Self, mpsc::UnboundedReceiver<(usize, Event)>) {
        let (events, receiver) = mpsc::unbounded_channel();
        let mut fleet = Self { setting, processes: Vec::new(), started: 0, events };
        fleet.start_all();
        (fleet, receiver)
    }

    pub(crate) fn start_all(&mut self) {
        self.processes = (0..PROCESSES).map(|_| self.process()).collect();
    }

    pub(crate) fn started(&self) -> usize {
        self.started
    }

    /// Returns the number of the process in a place.
    pub(crate) fn number(&self, place: usize) -> usize {
        self.processes[place].number
    }

    /// Returns the place of the process with a number, if it was not replaced.
    pub(crate) fn place(&self, number: usize) -> Option<usize> {
        self.processes.iter().position(|process| process.number == number)
    }

    /// Kills a process with SIGKILL, and waits until it has ended.
    pub(crate) async fn kill(&mut self, place: usize) {
        self.processes[place].child.kill().await.unwrap();
    }

    pub(crate) fn replace(&mut self, place: usize) {
        self.processes[place] = self.process();
    }

    /// Closes the standard input of all processes, so that they end.
    pub(crate) fn stop(&mut self) {
        self.processes.iter_mut().for_each(|process| drop(process.stdin.take()));
    }

    fn process(&mut self) -> Process {
        let mut child = Command::new(current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(SETTING, serde_json::to_string(&self.setting).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let number = self.started;
        self.started += 1;
        let (stdin, mut lines) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()).lines());
        let events = self.events.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                // The test harness of the process prints lines too, and a killed process may print a part of a line.
                if let Ok(line) = serde_json::from_str(&line) {
                    let _ = events.send((number, Event::Printed(line)));
                }
            }
            let _ = events.send((number, Event::Ended));
        });
        Process { number, child, stdin }
    }
}
