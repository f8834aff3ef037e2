//! Time on machines that others use too: the cases take turns in short rounds, and each is compared with what ran beside it.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::Case;

const ROUNDS: usize = 300;
const REQUESTS: u32 = 1000;

pub struct Timing {
    pub nanoseconds: f64,
    /// How many times the reference of the same round. The median does not see a round that was disturbed.
    pub ratio: f64,
}

/// The time of one request of each case; `reference` is what they are compared with.
pub fn take_turns(cases: &mut [Case], reference: usize) -> Vec<Timing> {
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
    times.iter().map(|case| Timing { nanoseconds: median(case.clone()), ratio: ratio(case) }).collect()
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
