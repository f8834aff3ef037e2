//! Simulates 10 000 clients that are deployed at one moment, and counts their token requests when their tokens expire.
//!
//! ```text
//! cargo run --example fleet
//! cargo run --example fleet -- docs/images/fleet.svg
//! ```
//!
//! The second command also draws a chart. The authorization server and the API are part of the program. Three hours take
//! seconds, because tokio's clock is paused and advances to the next timer.
//!
//! Requests refresh a token ahead of its expiry: the first request in the refresh-ahead window starts the refresh, and is
//! sent with the current token. If requests are rare, that alone spreads the refreshes. Here each client sends one request a
//! second, so only jitter spreads the refreshes over more than a second. Most requests outside the window are left out,
//! because they only read the token.

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
use variant::{AT_EXPIRY, DEFAULTS, WITHOUT_JITTER};

#[tokio::main(flavor = "current_thread", start_paused = true)]
pub(crate) async fn main() -> Result<(), BoxError> {
    println!("{CLIENTS} clients, deployed at one moment; the token lifetime is one hour; tokens are refreshed:\n");
    println!("{:>45}{:>13}{:>13}{:>13}", "start", "1st refresh", "2nd refresh", "3rd refresh");

    let without_jitter = run(&WITHOUT_JITTER).await?;
    println!("{without_jitter}");
    claims::for_every_variant(&without_jitter)?;
    claims::for_refresh_ahead(&without_jitter)?;
    claims::without_jitter(&without_jitter)?;

    let with_jitter = run(&DEFAULTS).await?;
    println!("{with_jitter}");
    claims::for_every_variant(&with_jitter)?;
    claims::for_refresh_ahead(&with_jitter)?;
    claims::with_jitter(&with_jitter)?;

    let at_expiry = run(&AT_EXPIRY).await?;
    println!("{at_expiry}");
    claims::for_every_variant(&at_expiry)?;
    claims::of_refresh_at_expiry(&at_expiry)?;

    // Compiled as a test, the program gets other arguments.
    if let Some(path) = std::env::args().skip(1).find(|argument| argument.ends_with(".svg")) {
        std::fs::write(&path, chart::draw([&without_jitter, &with_jitter])?)?;
        println!("chart: {path}");
    }
    Ok(())
}
