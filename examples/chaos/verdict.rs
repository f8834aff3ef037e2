//! The table at the end, and whether every promise was kept.

use std::time::Duration;

use tower::BoxError;

use super::{
    access::shortest_life,
    api_server::REVOKED,
    login::Login,
    promises::{PROMISES, Promise},
    run::Run,
    tally::Part,
};

/// Prints the table.
///
/// # Errors
///
/// When a promise was broken.
pub(crate) fn give(run: &Run, logins: &[Login], elapsed: Duration) -> Result<(), BoxError> {
    part(run, "requests, by what became of them", Part::Requests);
    part(run, "seen on the way", Part::OnTheWay);
    part(run, "faults of the API", Part::ApiFaults);
    part(run, "token calls, by what the server did", Part::TokenCalls);

    let (mut calls, mut failed) = (0, 0);
    for login in logins {
        let (begun, and_failed) = login.calls.begun_and_failed();
        (calls, failed) = (calls + begun, failed + and_failed);
    }
    // Each token call follows a failed one, or a token that was revoked, or one that has lived its life, which takes time;
    // or a step of the clock, or nothing, for it is the first.
    let revoked = run.tally.get(Part::ApiFaults, REVOKED);
    let steps = run.clock.forward_steps() * logins.len() as u64;
    let lives = (1.0 + elapsed.as_secs_f64() / shortest_life().as_secs_f64()) * logins.len() as f64;
    let reasons = lives + (failed + revoked + steps) as f64;
    println!("\ntoken calls, as the client sees them");
    line("begun", calls);
    line("failed", failed);
    line("most at once of one login", most(logins, |login| login.calls.most_in_the_air()));
    line("most at once of one login, at the server", most(logins, |login| login.server.most_at_once()));
    line("reasons there were, at most", reasons as u64);
    println!("  {:>9.3}  calls for each reason", calls as f64 / reasons);
    if calls as f64 > reasons {
        run.broken(Promise::TokenCallsAreFew, format!("{calls} calls, and {reasons:.0} reasons"));
    }

    let (begun, ended) = (run.begun(), run.tally.sum(Part::Requests));
    if begun != ended {
        run.broken(Promise::EveryRequestCounts, format!("{begun} were begun, and {ended} have ended"));
    }
    println!("\nall in all");
    line("requests", begun);
    println!("  {:>9.1}  seconds", elapsed.as_secs_f64());
    println!("  {:>9.0}  requests a second", begun as f64 / elapsed.as_secs_f64());

    println!("\npromises");
    let mut broken = 0;
    for (promise, text) in PROMISES {
        let (breaches, first) = run.breaches.of(promise);
        match breaches {
            0 => println!("         ok  {text}"),
            _ => println!("     BROKEN  {text}: {breaches} times, such as {}", first.join("; ")),
        }
        broken += usize::from(breaches > 0);
    }
    if broken == 0 { Ok(()) } else { Err(format!("{broken} promises were broken").into()) }
}

fn most(logins: &[Login], of: impl Fn(&Login) -> usize) -> u64 {
    logins.iter().map(of).max().unwrap_or_default() as u64
}

fn part(run: &Run, title: &str, part: Part) {
    println!("\n{title}");
    for (name, count) in run.tally.of(part) {
        line(&name, count);
    }
}

fn line(name: &str, count: u64) {
    println!("  {count:>9}  {name}");
}
