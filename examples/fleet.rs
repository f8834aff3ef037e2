//! A fleet of 10 000 clients, deployed at one moment, and what its authorization server sees when their tokens end.
//!
//! ```text
//! cargo run --example fleet
//! cargo run --example fleet -- docs/images/fleet.svg
//! ```
//!
//! The second one draws it, too. Nothing else is needed: the authorization server and the API are part of the program.
//! Three hours pass in seconds, for tokio's time is paused and leaps to whatever comes next.
//!
//! It is requests that renew a token ahead of its end: the first one after it is due sends for the next, and goes on with
//! the one that is there. Where requests are rare, that alone spreads a fleet. Here each client sends one a second, at a
//! moment of its own, so that what spreads the renewals over more than a second is the jitter. Of the requests that find
//! a token too young to be renewed, most are left out, for they only read it.

#[path = "fleet/chart.rs"]
mod chart;
#[path = "support/check.rs"]
mod check;
#[path = "fleet/claims.rs"]
mod claims;
#[path = "fleet/client.rs"]
mod client;
#[path = "fleet/outcome.rs"]
mod outcome;
#[path = "fleet/run.rs"]
mod run;
#[path = "fleet/server.rs"]
mod server;
#[path = "fleet/variant.rs"]
mod variant;

use run::{CLIENTS, run};
use tower::BoxError;
use variant::{AT_THE_END, DEFAULTS, WITHOUT_JITTER};

#[tokio::main(flavor = "current_thread", start_paused = true)]
pub(crate) async fn main() -> Result<(), BoxError> {
    println!("{CLIENTS} clients, deployed at one moment; a token lives for an hour, and is renewed:\n");
    println!("{:>45}{:>13}{:>13}{:>13}", "start", "1st renewal", "2nd renewal", "3rd renewal");

    let without_jitter = run(&WITHOUT_JITTER).await?;
    println!("{without_jitter}");
    claims::of_every_fleet(&without_jitter)?;
    claims::of_refresh_ahead(&without_jitter)?;
    claims::without_jitter(&without_jitter)?;

    let with_jitter = run(&DEFAULTS).await?;
    println!("{with_jitter}");
    claims::of_every_fleet(&with_jitter)?;
    claims::of_refresh_ahead(&with_jitter)?;
    claims::with_jitter(&with_jitter)?;

    let at_the_end = run(&AT_THE_END).await?;
    println!("{at_the_end}");
    claims::of_every_fleet(&at_the_end)?;
    claims::of_renewal_at_the_end(&at_the_end)?;

    // Only a name that is meant as a picture's: as a test, this program has arguments that are not its own.
    if let Some(path) = std::env::args().skip(1).find(|argument| argument.ends_with(".svg")) {
        std::fs::write(&path, chart::draw([&without_jitter, &with_jitter])?)?;
        println!("drawn: {path}");
    }
    Ok(())
}
