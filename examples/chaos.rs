//! Sends a million requests through servers and connections that fail at random, and checks twenty-six promises of the layer.
//!
//! ```text
//! cargo run --release --example chaos --features tenants
//! cargo run --release --example chaos --features tenants,test-util -- SEED REQUESTS
//! ```
//!
//! This is a stress test, not code to copy. It uses real connections on 127.0.0.1. Token requests and API requests are
//! reset, stalled, truncated and rejected; tokens are revoked while requests are in flight; callers time out, are aborted or
//! drop their futures; and the clock steps (with the feature `test-util`). Half of the logins have tokens that are bound to a
//! key (RFC 9449): their servers verify each proof, and demand nonces that change. Half of the requests are those of two thousand
//! tenants behind one layer, which keeps the tokens of two hundred. The program prints a table of what happened,
//! and exits with 0 only if every promise was kept. The same seed draws the same plans; the order in which threads run still
//! differs. The environment variable `CHAOS_REQUESTS` sets the number of requests if no argument does.
//!
//! | file | content |
//! | --- | --- |
//! | `login.rs` | one login: its servers, its layer, its callers |
//! | `behavior.rs`, `caller.rs`, `request.rs` | the plan of a request, the caller that sends it, and how it is sent |
//! | `connection.rs`, `token_server.rs`, `token_faults.rs`, `api_server.rs` | the servers and their faults |
//! | `login_key.rs`, `proof_check.rs`, `nonces.rs`, `sends.rs` | the keys of logins, and the proofs of their requests |
//! | `ledger.rs`, `access_token.rs`, `rotation.rs` | the servers' record of every token |
//! | `monitor.rs`, `token_requests.rs` | checks of what the layer sends |
//! | `tenants/` | the tenants: their server, their callers, and the checks that no token is mixed up |
//! | `scenarios/` | promises with their own setup: tokens set and forgotten, rejections, `Retry-After: 0`, idle runtimes |
//! | `clock.rs` | the clock that steps |
//! | `run.rs`, `tally.rs`, `promises.rs`, `report.rs` | counters, and the report at the end |

#[path = "chaos/access_token.rs"]
mod access_token;
#[path = "chaos/api_server.rs"]
mod api_server;
#[path = "chaos/behavior.rs"]
mod behavior;
#[path = "chaos/caller.rs"]
mod caller;
#[path = "chaos/clock.rs"]
mod clock;
#[path = "chaos/connection.rs"]
mod connection;
#[path = "chaos/ledger.rs"]
mod ledger;
#[path = "chaos/login.rs"]
mod login;
#[path = "chaos/login_key.rs"]
mod login_key;
#[path = "chaos/monitor.rs"]
mod monitor;
#[path = "chaos/nonces.rs"]
mod nonces;
#[path = "chaos/promises.rs"]
mod promises;
#[path = "chaos/proof_check.rs"]
mod proof_check;
#[path = "chaos/report.rs"]
mod report;
#[path = "chaos/request.rs"]
mod request;
#[path = "chaos/rotation.rs"]
mod rotation;
#[path = "chaos/run.rs"]
mod run;
#[path = "chaos/scenarios/mod.rs"]
mod scenarios;
#[path = "chaos/sends.rs"]
mod sends;
#[path = "chaos/tally.rs"]
mod tally;
#[path = "chaos/tenants/mod.rs"]
mod tenants;
#[path = "chaos/token_faults.rs"]
mod token_faults;
#[path = "chaos/token_requests.rs"]
mod token_requests;
#[path = "chaos/token_server.rs"]
mod token_server;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use clock::Clock;
use fastrand::Rng;
use login::Login;
use promises::Promise;
use run::Run;
use tenants::TenantsSummary;
use tokio::{runtime, task::JoinSet, time::interval};
use tower::BoxError;

const REQUESTS: u64 = 1_000_000;
/// Each login has its own token; logins share no state.
const LOGINS: u64 = 16;
const CALLERS_PER_LOGIN: u64 = 16;

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
    println!("seed {seed}: {requests} requests of {} callers", LOGINS * CALLERS_PER_LOGIN);

    let clock = Clock::new();
    let threads = clock.clone();
    let runtime = runtime::Builder::new_multi_thread().enable_all().on_thread_start(move || threads.enter()).build()?;
    let (run, logins, elapsed, tenants) = runtime.block_on(runtime.spawn(all(seed, requests, clock)))??;
    drop(runtime);

    // The scenarios measure back-offs, so they use the system's clock.
    println!("\nscenarios");
    let runtime = runtime::Runtime::new()?;
    runtime.block_on(scenarios::run(&run));
    report::print(&run, &logins, elapsed, &tenants)
}

type Ended = (Arc<Run>, Vec<Login>, Duration, TenantsSummary);

async fn all(seed: u64, requests: u64, clock: Arc<Clock>) -> Result<Ended, BoxError> {
    let mut rng = Rng::with_seed(seed);
    let of_tenants = requests / 2;
    let requests = requests - of_tenants;
    let run = Run::new(clock.clone());
    let mut logins = Vec::new();
    for number in 0..LOGINS {
        logins.push(Login::start(&run, number, &mut rng).await?);
    }
    let start = Instant::now();
    tokio::spawn(clock.step_at_intervals(rng.fork()));
    tokio::spawn(print_progress(run.clone()));

    let mut callers = JoinSet::new();
    let all = logins.iter().flat_map(|login| login.callers(CALLERS_PER_LOGIN, &mut rng)).collect::<Vec<_>>();
    let everyone = all.len() as u64;
    for (number, caller) in (0..).zip(all) {
        // The first callers send the remainder of the division.
        let share = requests / everyone + u64::from(number < requests % everyone);
        callers.spawn(caller.send(share));
    }
    while let Some(ended) = callers.join_next().await {
        if let Err(panic) = ended {
            run.broken(Promise::EveryRequestHasOutcome, panic.to_string());
        }
    }
    for login in &logins {
        login.wait_until_idle().await?;
    }
    let elapsed = start.elapsed();
    let tenants = tenants::run(&run, of_tenants, &mut rng).await?;
    Ok((run, logins, elapsed, tenants))
}

async fn print_progress(run: Arc<Run>) {
    let mut tenth = interval(Duration::from_secs(10));
    tenth.tick().await;
    loop {
        tenth.tick().await;
        println!("  {:>9}  requests so far", run.begun());
    }
}
