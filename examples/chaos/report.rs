//! Prints the table at the end, and whether every promise was kept.

use std::time::Duration;

use tower::BoxError;

use super::{
    access_token::min_refresh_age,
    api_server::REVOKED,
    login::Login,
    promises::{PROMISES, Promise},
    run::Run,
    tally::Part,
    tenants::TenantsSummary,
    token_server::NONCE_DEMANDED,
};

/// Prints the table.
///
/// # Errors
///
/// When a promise was broken.
pub(crate) fn print(run: &Run, logins: &[Login], elapsed: Duration, tenants: &TenantsSummary) -> Result<(), BoxError> {
    part(run, "requests, by outcome", Part::Requests);
    part(run, "events", Part::Events);
    part(run, "faults of the API", Part::ApiFaults);
    part(run, "token requests, by what the server did", Part::TokenRequests);
    part(run, "scenarios", Part::Scenarios);

    let (mut sent, mut failed) = (0, 0);
    for login in logins {
        let (begun, failed_now) = login.token_requests.started_and_failed();
        (sent, failed) = (sent + begun, failed + failed_now);
    }
    // A token request has one of these reasons: it is the first, the previous one failed or demanded a nonce, the token was revoked,
    // the token was old enough, or the clock stepped.
    let revoked = run.tally.get(Part::ApiFaults, REVOKED);
    let demanded = run.tally.get(Part::TokenRequests, NONCE_DEMANDED);
    let steps = run.clock.forward_steps() * logins.len() as u64;
    let lives = (1.0 + elapsed.as_secs_f64() / min_refresh_age().as_secs_f64()) * logins.len() as f64;
    let reasons = lives + (failed + demanded + revoked + steps) as f64;
    println!("\ntoken requests, at the client");
    line("sent", sent);
    line("failed", failed);
    line("max in flight of one login", max(logins, |login| login.token_requests.max_in_flight()));
    line("max in flight of one login, at the server", max(logins, |login| login.server.max_concurrent()));
    line("reasons, at most", reasons as u64);
    println!("  {:>9.3}  token requests for each reason", sent as f64 / reasons);
    if sent as f64 > reasons {
        run.broken(Promise::TokenRequestsAreBounded, format!("{sent} token requests, and {reasons:.0} reasons"));
    }

    let (begun, completed) = (run.begun(), run.tally.sum(Part::Requests));
    if begun != completed {
        run.broken(Promise::EveryRequestHasOutcome, format!("{begun} were started, and {completed} have ended"));
    }
    println!("\ntotal, of logins");
    total(begun, elapsed);

    part(run, "requests of tenants, by outcome", Part::Tenants);
    part(run, "events of tenants", Part::TenantEvents);
    for (name, count) in &tenants.lines {
        line(name, *count);
    }
    println!("\ntotal, of tenants");
    total(tenants.requests, tenants.elapsed);

    println!("\npromises");
    let mut broken = 0;
    for (promise, text) in PROMISES {
        let (breaches, first) = run.breaches.of(promise);
        match breaches {
            0 => println!("         ok  {text}"),
            _ => println!("     BROKEN  {text}: {breaches} times, for example {}", first.join("; ")),
        }
        broken += usize::from(breaches > 0);
    }
    if broken == 0 { Ok(()) } else { Err(format!("{broken} promises were broken").into()) }
}

fn total(requests: u64, elapsed: Duration) {
    line("requests", requests);
    println!("  {:>9.1}  seconds", elapsed.as_secs_f64());
    println!("  {:>9.0}  requests a second", requests as f64 / elapsed.as_secs_f64());
}

fn max(logins: &[Login], of: impl Fn(&Login) -> usize) -> u64 {
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
