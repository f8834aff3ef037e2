//! The targets of the layer, and the measured values.

use std::error::Error;

use tower_oauth2_benches::call_style::CallStyle;
use tower_oauth2_benches::cases::{LAYER, LAYER_KIB, STATIC};
use tower_oauth2_benches::proofs::{REQUEST, REQUEST_WITH_NONCE};

use crate::numbers::Numbers;

struct Target {
    what: &'static str,
    limit: String,
    measured: String,
    met: bool,
}

pub fn table(numbers: &Numbers) -> Result<String, Box<dyn Error>> {
    Ok(markdown(targets(numbers)?))
}

/// Returns the targets of requests with DPoP proofs.
pub fn dpop_table(numbers: &Numbers) -> Result<String, Box<dyn Error>> {
    let threads = numbers.of("dpop-threads", REQUEST, 2)?;
    Ok(markdown(vec![
        at_most("time of a request with a proof, × signature alone", 1.15, numbers.of("dpop", REQUEST, 1)?),
        at_most("the same, the server gives a nonce", 1.15, numbers.of("dpop", REQUEST_WITH_NONCE, 1)?),
        at_most(
            "allocations of a request with a proof, one of them the value of its header",
            4.0,
            numbers.of("allocations-dpop", REQUEST, 0)?,
        ),
        Target {
            what: "two threads with one key, × one thread",
            limit: "≥ 1.8".into(),
            measured: format!("{threads:.2}"),
            met: threads >= 1.8,
        },
    ]))
}

fn markdown(targets: Vec<Target>) -> String {
    let mut out = String::from("| metric | target | measured | |\n| --- | ---: | ---: | --- |\n");
    for row in targets {
        let met = if row.met { "met" } else { "**not met**" };
        out.push_str(&format!("| {} | {} | {} | {met} |\n", row.what, row.limit, row.measured));
    }
    out
}

fn targets(numbers: &Numbers) -> Result<Vec<Target>, Box<dyn Error>> {
    let herd = |size: &str| format!("**tower-oauth2**, {size}");
    let failing = |size: &str| format!("**tower-oauth2**, {size}, endpoint unavailable");
    let (clone, unpolled) = (CallStyle::Clones.name(LAYER), CallStyle::ClonesOfUnpolled.name(LAYER));
    let (ten, hundred) = ("10\u{202f}000", "100\u{202f}000");
    Ok(vec![
        at_most("instructions, more than no layer", 401.0, numbers.of("instructions", LAYER, 1)?),
        at_most("instructions more than no layer, × static header", 1.15, numbers.of("instructions", LAYER, 2)?),
        at_most("the same with a token of 1 KiB", 1.15, numbers.of("instructions", LAYER_KIB, 2)?),
        at_most("time of a request, × static header", 1.05, numbers.of("time", LAYER, 1)?),
        at_most("the same with a clone per request", 1.10, numbers.of("time-clones", &clone, 1)?),
        at_most("the same, with a base that was never polled", 1.10, numbers.of("time-clones", &unpolled, 1)?),
        at_most("allocations per request", 0.0, numbers.of("allocations", LAYER, 0)?),
        at_most("allocations per request, a clone per request", 0.0, numbers.of("allocations-clones", &clone, 0)?),
        at_most("allocations of a request after idle time", 0.0, numbers.of("allocations-after-idle", LAYER, 0)?),
        at_most(
            "allocations of a request after idle time, through a clone",
            0.0,
            numbers.of("allocations-after-idle", &unpolled, 0)?,
        ),
        at_least(
            "two threads with one token, million requests per second",
            "static header",
            numbers.of("threads", STATIC, 1)?,
            numbers.of("threads", LAYER, 1)?,
        ),
        noise("exchange over HTTP/1.1, × header by hand", "HTTP/1.1", numbers)?,
        noise("exchange over HTTP/2, × header by hand", "HTTP/2", numbers)?,
        at_most("10\u{202f}000 simultaneous requests: token requests", 1.0, numbers.of("herd", &herd(ten), 0)?),
        at_most(
            "10\u{202f}000 simultaneous requests: time until all have ended, × latency",
            1.3,
            numbers.of("herd", &herd(ten), 2)?,
        ),
        at_most("100\u{202f}000 simultaneous requests: the same", 2.7, numbers.of("herd", &herd(hundred), 2)?),
        at_most(
            "10\u{202f}000 simultaneous requests, endpoint unavailable: time until all have ended, × latency",
            1.3,
            numbers.of("herd", &failing(ten), 2)?,
        ),
        at_most(
            "100\u{202f}000 simultaneous requests, endpoint unavailable: the same",
            2.7,
            numbers.of("herd", &failing(hundred), 2)?,
        ),
        at_most(
            "100 simultaneous requests, endpoint unavailable: token requests",
            1.0,
            numbers.of("herd-failing", "**tower-oauth2**", 0)?,
        ),
        at_most(
            "100 simultaneous requests, endpoint unavailable: ms until all have ended",
            60.0,
            numbers.of("herd-failing", "**tower-oauth2**", 1)?,
        ),
        at_most("requests that wait during refreshes", 0.0, numbers.of("refresh", "**tower-oauth2**", 1)?),
    ])
}

fn at_most(what: &'static str, limit: f64, measured: f64) -> Target {
    // Compares the rounded value that is printed: smaller differences are noise.
    let shown = (measured * 100.0).round() / 100.0;
    let text = if limit == 0.0 { "none".into() } else { format!("≤ {limit}") };
    Target { what, limit: text, measured: format!("{shown}"), met: shown <= limit }
}

fn at_least(what: &'static str, whose: &str, limit: f64, measured: f64) -> Target {
    let text = format!("≥ {limit:.1} ({whose})");
    Target { what, limit: text, measured: format!("{measured:.1}"), met: measured >= limit }
}

/// The noise is the difference between two measurements of the same header set by hand, and at least a hundredth.
fn noise(what: &'static str, protocol: &str, numbers: &Numbers) -> Result<Target, Box<dyn Error>> {
    let again = numbers.of("loopback", &format!("{protocol}, header by hand, again"), 1)?;
    let measured = numbers.of("loopback", &format!("{protocol}, **tower-oauth2**"), 1)?;
    let limit = 1.0 + (again - 1.0).abs().max(0.01);
    Ok(Target {
        what,
        limit: format!("≤ {limit:.3} (noise)"),
        measured: format!("{measured:.3}"),
        met: measured <= limit,
    })
}
