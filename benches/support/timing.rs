//! Measures time on a shared machine: the cases are interleaved in short rounds, and ratios are taken within a round.

use std::process::{self, Command};
use std::sync::Barrier;
use std::time::{Duration, Instant};
use std::{env, thread};

use crate::Case;
use crate::call_style::CallStyle;

const CHILD_PROCESS: &str = "BENCH_ONE_OF_SEVERAL";

/// The number of processes. The addresses of stack and heap differ between processes, which changes times by a tenth.
const PROCESSES: usize = 60;
const ROUNDS: usize = 30;
const REQUESTS: u32 = 1000;

pub struct Timing {
    pub name: String,
    pub call_style: CallStyle,
    pub nanoseconds: f64,
    /// The ratio to the reference in the same round.
    pub ratio: f64,
}

/// Measures the time of one request of each case, and compares it with the case `reference` of the same call style.
pub fn compare(cases: impl FnOnce() -> Vec<Case>, reference: &str) -> Vec<Timing> {
    let mut cases = cases();
    let references = references(&cases, reference);
    if env::var_os(CHILD_PROCESS).is_some() {
        for (nanoseconds, ratio) in interleave(&mut cases, &references, ROUNDS, REQUESTS) {
            println!("{nanoseconds} {ratio}");
        }
        process::exit(0);
    }
    // Keeps only the names: background tasks of the cases would disturb the measurement.
    let names: Vec<(String, CallStyle)> = cases.into_iter().map(|case| (case.name, case.call_style)).collect();
    let runs: Vec<Vec<(f64, f64)>> = (0..PROCESSES).map(|_| run()).collect();
    let of = |case: usize, value: fn(&(f64, f64)) -> f64| {
        interquartile_mean(runs.iter().map(|run| value(&run[case])).collect())
    };
    let timing = |(case, (name, call_style))| {
        let (nanoseconds, ratio) = (of(case, |run| run.0), of(case, |run| run.1));
        Timing { name, call_style, nanoseconds, ratio }
    };
    names.into_iter().enumerate().map(timing).collect()
}

/// Returns for each case the index of its reference: the case `reference` with the same call style.
pub fn references(cases: &[Case], reference: &str) -> Vec<usize> {
    let position = |name: String| cases.iter().position(|case| case.name == name).expect("it is among them");
    cases.iter().map(|case| position(case.call_style.name(reference))).collect()
}

fn run() -> Vec<(f64, f64)> {
    let program = env::current_exe().expect("a program has a path");
    let output = Command::new(program).env(CHILD_PROCESS, "").output().expect("it ran before");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let number = |text: &str| text.parse().expect("a number");
    let line = |line: &str| line.split_once(' ').map(|(one, other)| (number(one), number(other))).expect("two numbers");
    String::from_utf8_lossy(&output.stdout).lines().map(line).collect()
}

/// Returns the nanoseconds of one request of each case, and the ratio to its reference in the same round. Each round runs
/// `burst` requests of each case. A median ignores disturbed rounds.
pub fn interleave(cases: &mut [Case], references: &[usize], rounds: usize, burst: u32) -> Vec<(f64, f64)> {
    let count = cases.len();
    let mut times = vec![Vec::with_capacity(rounds); count];
    for case in &mut *cases {
        (case.run)(burst);
    }
    for round in 0..rounds {
        // Each round starts with another case, so that no case always runs after the same one.
        for turn in 0..count {
            let case = (round + turn) % count;
            let start = Instant::now();
            (cases[case].run)(burst);
            times[case].push(start.elapsed().as_secs_f64() * 1e9 / f64::from(burst));
        }
    }
    let ratio = |case: &[f64], reference: &[f64]| {
        median(case.iter().zip(reference).map(|(time, beside)| time / beside).collect())
    };
    let both = |(case, reference): (&Vec<f64>, &usize)| (median(case.clone()), ratio(case, &times[*reference]));
    times.iter().zip(references).map(both).collect()
}

/// The mean of the middle half. If two values are about equally frequent, a median would jump between them.
fn interquartile_mean(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let quarter = values.len() / 4;
    let half = &values[quarter..values.len() - quarter];
    half.iter().sum::<f64>() / half.len() as f64
}

/// Returns the requests per second of all threads together, in one burst of `burst` requests from each.
pub fn run_concurrently(cases: &mut [Case], burst: u32) -> f64 {
    let barrier = Barrier::new(cases.len());
    let requests = cases.len() as f64 * f64::from(burst);
    let one = |case: &mut Case| {
        (case.run)(burst / 10);
        barrier.wait();
        let start = Instant::now();
        (case.run)(burst);
        (start, Instant::now())
    };
    let one = &one;
    let spans: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let threads: Vec<_> = cases.iter_mut().map(|case| scope.spawn(move || one(case))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    // Measured by the threads themselves: the starting thread may be scheduled only after they have ended.
    let start = spans.iter().map(|span| span.0).min().expect("there is a thread");
    let ended = spans.iter().map(|span| span.1).max().expect("there is a thread");
    requests / (ended - start).as_secs_f64()
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
