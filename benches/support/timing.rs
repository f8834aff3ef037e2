//! Time on machines that others use too: the cases take turns in short rounds, and each is compared with what ran beside it.

use std::process::{self, Command};
use std::sync::Barrier;
use std::time::{Duration, Instant};
use std::{env, thread};

use crate::Case;

const ONE_OF_SEVERAL: &str = "BENCH_ONE_OF_SEVERAL";

/// How often the program is run: where its stack and its memory begin is another place each time, which makes a tenth.
const PROCESSES: usize = 60;
const ROUNDS: usize = 30;
const REQUESTS: u32 = 1000;

pub struct Timing {
    pub name: String,
    pub nanoseconds: f64,
    /// How many times the reference of the same round.
    pub ratio: f64,
}

/// The time of one request of each case; `reference` is the one that they are compared with.
pub fn compare(cases: impl FnOnce() -> Vec<Case>, reference: &str) -> Vec<Timing> {
    let mut cases = cases();
    let reference = cases.iter().position(|case| case.name == reference).expect("it is among them");
    if env::var_os(ONE_OF_SEVERAL).is_some() {
        for (nanoseconds, ratio) in take_turns(&mut cases, reference) {
            println!("{nanoseconds} {ratio}");
        }
        process::exit(0);
    }
    // Only the names are needed here: what the cases have running would be a neighbour of what is measured.
    let names: Vec<String> = cases.into_iter().map(|case| case.name).collect();
    let runs: Vec<Vec<(f64, f64)>> = (0..PROCESSES).map(|_| run()).collect();
    let of = |case: usize, value: fn(&(f64, f64)) -> f64| middle(runs.iter().map(|run| value(&run[case])).collect());
    let timing = |(case, name)| Timing { name, nanoseconds: of(case, |run| run.0), ratio: of(case, |run| run.1) };
    names.into_iter().enumerate().map(timing).collect()
}

fn run() -> Vec<(f64, f64)> {
    let program = env::current_exe().expect("a program has a path");
    let output = Command::new(program).env(ONE_OF_SEVERAL, "").output().expect("it ran before");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let number = |text: &str| text.parse().expect("a number");
    let line = |line: &str| line.split_once(' ').map(|(one, other)| (number(one), number(other))).expect("two numbers");
    String::from_utf8_lossy(&output.stdout).lines().map(line).collect()
}

/// The time of each, and how many times that of the reference in the same round. A median does not see a round that was
/// disturbed.
fn take_turns(cases: &mut [Case], reference: usize) -> Vec<(f64, f64)> {
    let count = cases.len();
    let mut times = vec![Vec::with_capacity(ROUNDS); count];
    for case in &mut *cases {
        (case.run)(REQUESTS);
    }
    for round in 0..ROUNDS {
        // Another one begins each time, so that nobody always runs behind the same neighbour.
        for turn in 0..count {
            let case = (round + turn) % count;
            let began = Instant::now();
            (cases[case].run)(REQUESTS);
            times[case].push(began.elapsed().as_secs_f64() * 1e9 / f64::from(REQUESTS));
        }
    }
    let ratio =
        |case: &Vec<f64>| median(case.iter().zip(&times[reference]).map(|(time, beside)| time / beside).collect());
    times.iter().map(|case| (median(case.clone()), ratio(case))).collect()
}

/// The mean of the middle half: there may be two places that are about as frequent, and a median would jump between them.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let quarter = values.len() / 4;
    let half = &values[quarter..values.len() - quarter];
    half.iter().sum::<f64>() / half.len() as f64
}

/// Requests per second of all threads together, in one burst of so many from each.
pub fn together(cases: &mut [Case], burst: u32) -> f64 {
    let barrier = Barrier::new(cases.len());
    let requests = cases.len() as f64 * f64::from(burst);
    let one = |case: &mut Case| {
        (case.run)(burst / 10);
        barrier.wait();
        let began = Instant::now();
        (case.run)(burst);
        (began, Instant::now())
    };
    let one = &one;
    let spans: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let threads: Vec<_> = cases.iter_mut().map(|case| scope.spawn(move || one(case))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    // By the threads' own clocks: who starts them may not get a turn before they have ended.
    let began = spans.iter().map(|span| span.0).min().expect("there is a thread");
    let ended = spans.iter().map(|span| span.1).max().expect("there is a thread");
    requests / (ended - began).as_secs_f64()
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
