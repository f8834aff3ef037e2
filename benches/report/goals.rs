//! What was promised, and what was measured beside it.

use std::error::Error;

use tower_oauth2_benches::cases::{LAYER, LAYER_KIB, STATIC};

use crate::numbers::Numbers;

struct Goal {
    what: &'static str,
    wanted: String,
    measured: String,
    met: bool,
}

pub fn table(numbers: &Numbers) -> Result<String, Box<dyn Error>> {
    let mut out = String::from("| goal | wanted | measured | |\n| --- | ---: | ---: | --- |\n");
    for goal in goals(numbers)? {
        let met = if goal.met { "met" } else { "**not met**" };
        out.push_str(&format!("| {} | {} | {} | {met} |\n", goal.what, goal.wanted, goal.measured));
    }
    Ok(out)
}

fn goals(numbers: &Numbers) -> Result<Vec<Goal>, Box<dyn Error>> {
    let herd = "**tower-oauth2**, 10\u{202f}000";
    Ok(vec![
        at_most("instructions over no layer, × static header", 1.15, numbers.of("instructions", LAYER, 2)?),
        at_most("the same with a token of 1 KiB", 1.15, numbers.of("instructions", LAYER_KIB, 2)?),
        at_most("time of a whole request, × static header", 1.05, numbers.of("time", LAYER, 1)?),
        at_most("allocations per request", 0.0, numbers.of("allocations", LAYER, 0)?),
        more_than(
            "two threads on one token, million requests per second",
            "static header",
            numbers.of("threads", STATIC, 1)?,
            numbers.of("threads", LAYER, 1)?,
        ),
        noise("exchange over HTTP/1.1, × header by hand", "HTTP/1.1", numbers)?,
        noise("exchange over HTTP/2, × header by hand", "HTTP/2", numbers)?,
        at_most("10\u{202f}000 requests at once: token calls", 1.0, numbers.of("herd", herd, 0)?),
        at_most(
            "10\u{202f}000 requests at once: time until all are released, × latency",
            1.5,
            numbers.of("herd", herd, 2)?,
        ),
        at_most(
            "100 requests, endpoint out of order: token calls",
            1.0,
            numbers.of("herd-failing", "**tower-oauth2**", 0)?,
        ),
        at_most(
            "100 requests, endpoint out of order: ms until all are told",
            60.0,
            numbers.of("herd-failing", "**tower-oauth2**", 1)?,
        ),
        at_most("requests that wait while tokens are renewed", 0.0, numbers.of("refresh", "**tower-oauth2**", 1)?),
    ])
}

fn at_most(what: &'static str, limit: f64, measured: f64) -> Goal {
    // As it is shown, for a hundredth is the least that this can tell apart.
    let shown = (measured * 100.0).round() / 100.0;
    let wanted = if limit == 0.0 { "none".into() } else { format!("≤ {limit}") };
    Goal { what, wanted, measured: format!("{shown}"), met: shown <= limit }
}

fn more_than(what: &'static str, whose: &str, limit: f64, measured: f64) -> Goal {
    let wanted = format!("> {limit:.1} ({whose})");
    Goal { what, wanted, measured: format!("{measured:.1}"), met: measured > limit }
}

/// The same header by hand, measured twice, says how much is noise. Less than a hundredth is not asked for.
fn noise(what: &'static str, protocol: &str, numbers: &Numbers) -> Result<Goal, Box<dyn Error>> {
    let again = numbers.of("loopback", &format!("{protocol}, header by hand, again"), 1)?;
    let measured = numbers.of("loopback", &format!("{protocol}, **tower-oauth2**"), 1)?;
    let limit = 1.0 + (again - 1.0).abs().max(0.01);
    Ok(Goal {
        what,
        wanted: format!("≤ {limit:.3} (noise)"),
        measured: format!("{measured:.3}"),
        met: measured <= limit,
    })
}
