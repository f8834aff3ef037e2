//! A million requests through a world that breaks everything, and twelve promises that must hold all the same.
//!
//! ```text
//! cargo run --release --example chaos
//! cargo run --release --example chaos --features test-util -- SEED REQUESTS
//! ```
//!
//! It is no example to copy but a trial of the layer, with real connections on 127.0.0.1: token calls and requests are
//! reset, stalled, cut in half and refused, tokens are revoked under way, callers time out, are aborted and go away, and the
//! clock steps (with the feature `test-util`). A table tells what happened, and the exit code is 0 only if every promise was
//! kept. The same seed draws the same plans, though threads take turns as they like; `CHAOS_REQUESTS` says how many requests where no argument does.
//!
//! | file | what it is |
//! | --- | --- |
//! | `login.rs` | one login: its servers, its layer, its callers |
//! | `plan.rs`, `caller.rs`, `attempt.rs` | what a request is going to meet, who sends it, how it goes |
//! | `wire.rs`, `token_server.rs`, `token_faults.rs`, `api_server.rs` | the servers, and how they break |
//! | `ledger.rs`, `access.rs`, `rotation.rs` | the truth about every token |
//! | `witness.rs`, `token_calls.rs` | who watches what the layer sends |
//! | `clock.rs` | the clock that steps |
//! | `run.rs`, `tally.rs`, `promises.rs`, `verdict.rs` | what was counted, and what came of it |

#[path = "chaos/access.rs"]
mod access;
#[path = "chaos/api_server.rs"]
mod api_server;
#[path = "chaos/attempt.rs"]
mod attempt;
#[path = "chaos/caller.rs"]
mod caller;
#[path = "chaos/clock.rs"]
mod clock;
#[path = "chaos/ledger.rs"]
mod ledger;
#[path = "chaos/login.rs"]
mod login;
#[path = "chaos/plan.rs"]
mod plan;
#[path = "chaos/promises.rs"]
mod promises;
#[path = "chaos/rotation.rs"]
mod rotation;
#[path = "chaos/run.rs"]
mod run;
#[path = "chaos/tally.rs"]
mod tally;
#[path = "chaos/token_calls.rs"]
mod token_calls;
#[path = "chaos/token_faults.rs"]
mod token_faults;
#[path = "chaos/token_server.rs"]
mod token_server;
#[path = "chaos/verdict.rs"]
mod verdict;
#[path = "chaos/wire.rs"]
mod wire;
#[path = "chaos/witness.rs"]
mod witness;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use clock::Clock;
use fastrand::Rng;
use login::Login;
use promises::Promise;
use run::Run;
use tokio::{runtime, task::JoinSet, time::interval};
use tower::BoxError;

const REQUESTS: u64 = 1_000_000;
/// Each has a token of its own. They do not know of each other.
const LOGINS: u64 = 8;
const CALLERS_OF_EACH: u64 = 32;

fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let seed = match arguments.next() {
        Some(seed) => seed.parse()?,
        None => fastrand::u32(..).into(),
    };
    let requests = match arguments.next().or(std::env::var("CHAOS_REQUESTS").ok()) {
        Some(requests) => requests.parse()?,
        None => REQUESTS,
    };
    println!("seed {seed}: {requests} requests of {} callers", LOGINS * CALLERS_OF_EACH);

    let clock = Clock::new();
    let threads = clock.clone();
    let runtime = runtime::Builder::new_multi_thread().enable_all().on_thread_start(move || threads.enter()).build()?;
    runtime.block_on(runtime.spawn(all(seed, requests, clock)))?
}

async fn all(seed: u64, requests: u64, clock: Arc<Clock>) -> Result<(), BoxError> {
    let mut dice = Rng::with_seed(seed);
    let run = Run::new(clock.clone());
    let mut logins = Vec::new();
    for number in 0..LOGINS {
        logins.push(Login::start(&run, number, &mut dice).await?);
    }
    let start = Instant::now();
    tokio::spawn(clock.step_now_and_then(dice.fork()));
    tokio::spawn(tell_how_far_it_is(run.clone()));

    let mut callers = JoinSet::new();
    let all = logins.iter().flat_map(|login| login.callers(CALLERS_OF_EACH, &mut dice)).collect::<Vec<_>>();
    let everyone = all.len() as u64;
    for (number, caller) in (0..).zip(all) {
        // The rest of the division goes to the first.
        let share = requests / everyone + u64::from(number < requests % everyone);
        callers.spawn(caller.send(share));
    }
    while let Some(ended) = callers.join_next().await {
        if let Err(panic) = ended {
            run.broken(Promise::EveryRequestCounts, panic.to_string());
        }
    }
    for login in &logins {
        login.come_to_rest().await?;
    }
    verdict::give(&run, &logins, start.elapsed())
}

async fn tell_how_far_it_is(run: Arc<Run>) {
    let mut tenth = interval(Duration::from_secs(10));
    tenth.tick().await;
    loop {
        tenth.tick().await;
        println!("  {:>9}  requests so far", run.begun());
    }
}
