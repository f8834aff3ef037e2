//! Draws the outcomes: one row of panels for each outcome, one panel for each wave, all on the same scale.

use std::fmt::{self, Write};

use super::{
    outcome::{Outcome, Wave},
    run::{CLIENTS, REFRESHES},
};

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 536.0;

/// Layout of the panels.
const LEFT: f64 = 92.0;
const RIGHT: f64 = WIDTH - 20.0;
const GAP: f64 = 14.0;
const PANEL_WIDTH: f64 = (RIGHT - LEFT - GAP * REFRESHES as f64) / (REFRESHES + 1) as f64;
const PANEL_HEIGHT: f64 = 128.0;
const ROWS: [f64; 2] = [136.0, 346.0];

/// The seconds that a panel shows, and how many of them are before the first token request.
const SECONDS_SHOWN: usize = 214;
const SECONDS_BEFORE: usize = 18;

/// The height of a single request: on a logarithmic scale zero has no place.
const HEIGHT_OF_ONE: f64 = 14.0;

const STYLE: &str = "\
text { font: 12px system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; fill: #57606a }
.title { font-size: 18px; font-weight: 600; fill: #1f2328 }
.row { font-size: 13.5px; font-weight: 600; fill: currentColor }
.wave { fill: #1f2328 }
.label { paint-order: stroke; stroke: #ffffff; stroke-width: 4; stroke-linejoin: round }
.peak { font-weight: 600; fill: currentColor }
.scale { font-size: 11px }
.end { text-anchor: end }
.middle { text-anchor: middle }
.grid { stroke: #d8dee4; stroke-width: 1 }
.axis { stroke: #6e7781; stroke-width: 1 }
.calls { fill: currentColor; stroke: currentColor; stroke-width: 1; stroke-linejoin: round }
";

const WAVES: [&str; REFRESHES as usize + 1] = ["Start", "1st refresh", "2nd refresh", "3rd refresh"];

/// The color and the title of each row.
const ROW_TITLES: [(&str, &str); 2] = [
    ("#bc4c00", "Without jitter: each refresh peaks as high as the start"),
    ("#0a6ebd", "With the default jitter: refreshes spread over one minute, then over two, then three"),
];

const SUBTITLE: &str =
    "Each token expires after an hour and is refreshed some minutes before. Requests use it meanwhile: none waited.";
const X_AXIS: &str = "time since the deployment, hours : minutes";
const Y_AXIS: &str = "token requests per second (logarithmic scale)";

pub(crate) fn draw(outcomes: [&Outcome; 2]) -> Result<String, fmt::Error> {
    let mut svg = String::new();
    let title = format!("Token requests of {} clients that were deployed at one moment", thousands(CLIENTS));
    writeln!(svg, r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}""#)?;
    writeln!(svg, r#"  width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="title">"#)?;
    writeln!(svg, "<title id=\"title\">{title}</title>\n<style>\n{STYLE}</style>")?;
    writeln!(svg, r##"<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>"##)?;
    text(&mut svg, "title", 20.0, 34.0, &title)?;
    text(&mut svg, "", 20.0, 56.0, SUBTITLE)?;
    for ((outcome, top), (color, row_title)) in outcomes.into_iter().zip(ROWS).zip(ROW_TITLES) {
        writeln!(svg, r#"<g color="{color}">"#)?;
        text(&mut svg, "row", LEFT, top - 34.0, row_title)?;
        scale(&mut svg, top)?;
        for (column, (wave, name)) in outcome.waves.iter().zip(WAVES).enumerate() {
            panel(&mut svg, LEFT + column as f64 * (PANEL_WIDTH + GAP), top, wave, name)?;
        }
        writeln!(svg, "</g>")?;
    }
    let middle = (ROWS[0] + ROWS[1] + PANEL_HEIGHT) / 2.0;
    writeln!(svg, r#"<text class="middle" transform="translate(30 {middle}) rotate(-90)">{Y_AXIS}</text>"#)?;
    text(&mut svg, "middle", (LEFT + RIGHT) / 2.0, HEIGHT - 20.0, X_AXIS)?;
    writeln!(svg, "</svg>")?;
    Ok(svg)
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, text: &str) -> fmt::Result {
    writeln!(svg, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{text}</text>"#)
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) -> fmt::Result {
    let ((x1, y1), (x2, y2)) = (from, to);
    writeln!(svg, r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#)
}

/// The height of a count above the axis.
fn height(counts: u32) -> f64 {
    match counts {
        0 => 0.0,
        counts => {
            HEIGHT_OF_ONE + (PANEL_HEIGHT - HEIGHT_OF_ONE) * f64::from(counts).log10() / f64::from(CLIENTS).log10()
        }
    }
}

/// The scale at the left of a row.
fn scale(svg: &mut String, top: f64) -> fmt::Result {
    for counts in [0, 1, 10, 100, 1_000, 10_000] {
        text(svg, "scale end", LEFT - 8.0, top + PANEL_HEIGHT - height(counts) + 4.0, &thousands(counts))?;
    }
    Ok(())
}

fn panel(svg: &mut String, left: f64, top: f64, wave: &Wave, name: &str) -> fmt::Result {
    let (bottom, right) = (top + PANEL_HEIGHT, left + PANEL_WIDTH);
    // Begins at a full minute, so that the panels of a column can be compared.
    let shown = (wave.start / 60 * 60) as f64 - SECONDS_BEFORE as f64;
    let x = |second: usize| left + (second as f64 - shown) * PANEL_WIDTH / SECONDS_SHOWN as f64;

    for counts in [1, 10, 100, 1_000, 10_000] {
        line(svg, "grid", (left, bottom - height(counts)), (right, bottom - height(counts)))?;
    }
    let mut steps = format!("M{:.1} {bottom:.1}", x(wave.start));
    for (second, counts) in (wave.start..).zip(&wave.counts) {
        write!(steps, "V{:.1}H{:.1}", bottom - height(*counts), x(second + 1))?;
    }
    writeln!(svg, r#"<path class="calls" d="{steps}V{bottom:.1}Z"/>"#)?;

    line(svg, "axis", (left, bottom), (right, bottom))?;
    for minute in wave.start / 60..wave.start / 60 + 4 {
        let x = x(minute * 60);
        line(svg, "axis", (x, bottom), (x, bottom + 4.0))?;
        text(svg, "scale middle", x, bottom + 17.0, &format!("{}:{:02}", minute / 60, minute % 60))?;
    }

    text(svg, "wave", left, top - 10.0, name)?;
    // The label is beside a narrow wave, and above a wide one.
    let (aside, above) = if wave.seconds() < 10 { (8.0, -14.0) } else { (0.0, 25.0) };
    let (x, y) = (x(wave.start) + aside, bottom - height(wave.peak()) - above);
    text(svg, "label peak", x, y, &format!("peak: {}/s", thousands(wave.peak())))?;
    text(svg, "label", x, y + 15.0, &format!("{} requests in {} s", thousands(wave.total()), wave.seconds()))
}

/// Formats a number with a separator of thousands.
fn thousands(number: u32) -> String {
    match number / 1_000 {
        0 => number.to_string(),
        thousands => format!("{thousands}\u{a0}{:03}", number % 1_000),
    }
}
