//! Writes the results into `docs/benchmarks.md` and draws the charts. `benches/run` runs this program.

mod chart;
mod machine;
mod numbers;
mod page;
mod targets;

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use chart::{Bar, Chart, Kind};
use numbers::Numbers;
use tower_oauth2_benches::table::integer;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).ok_or("the folder with the results is missing")?;
    let numbers = Numbers::new(folder.as_ref());
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");

    let path = docs.join("benchmarks.md");
    // The tables of benches that were not run stay as they are.
    let is_whole_run = numbers.has("instructions");
    let written = page::fill(&fs::read_to_string(&path)?, |region| match region {
        "machine" => Ok(is_whole_run.then(machine::describe)),
        "targets" => is_whole_run.then(|| targets::table(&numbers)).transpose(),
        "targets-dpop" => numbers.has("dpop").then(|| targets::dpop_table(&numbers)).transpose(),
        table => numbers.has(table).then(|| numbers.markdown(table)).transpose(),
    })?;
    fs::write(path, written)?;
    if !is_whole_run {
        return Ok(());
    }

    for (name, chart) in [
        ("bench-instructions", instructions(&numbers)?),
        ("bench-threads", threads(&numbers)?),
        ("bench-failing", failing(&numbers)?),
    ] {
        fs::write(docs.join("images").join(name).with_extension("svg"), chart.draw()?)?;
    }
    Ok(())
}

fn instructions(numbers: &Numbers) -> Result<Chart, Box<dyn Error>> {
    let mut bars = Vec::new();
    for (case, values) in numbers.rows("instructions")? {
        // One case of each crate: with a token of 64 bytes, and without other layers.
        if values[1] > 0.0 && !case.contains("KiB") && !case.contains("Retry") && !case.contains("bound") {
            let note = format!("{}, {:.1} ×", integer(values[1]), values[2]);
            bars.push(Bar { kind: Kind::of(&case), name: plain(&case), value: values[1], note, starts_group: false });
        }
    }
    bars.sort_by(|one, other| one.value.total_cmp(&other.value));
    Ok(Chart {
        title: "The cost of attaching a fresh token to a request".into(),
        subtitle: "Instructions more than without a layer, and as a multiple of those of a static header.".into(),
        bars,
    })
}

fn threads(numbers: &Numbers) -> Result<Chart, Box<dyn Error>> {
    let mut rows = numbers.rows("threads")?;
    rows.retain(|(case, _)| !case.contains("clone"));
    let mut bars = Vec::new();
    for (column, threads) in ["1 thread", "2 threads", "4 threads", "8 threads"].into_iter().enumerate() {
        for (row, (case, values)) in rows.iter().enumerate() {
            let note = format!("{:.1} million a second", values[column]);
            bars.push(Bar {
                kind: Kind::of(case),
                name: format!("{threads}, {}", plain(case)),
                value: values[column],
                note,
                starts_group: column > 0 && row == 0,
            });
        }
    }
    Ok(Chart {
        title: "Threads that share one token".into(),
        subtitle: "Requests per second of all threads together, with an inner service that does nothing.".into(),
        bars,
    })
}

fn failing(numbers: &Numbers) -> Result<Chart, Box<dyn Error>> {
    let mut bars = Vec::new();
    for (case, values) in numbers.rows("herd-failing")? {
        let unit = if values[0] == 1.0 { "token request" } else { "token requests" };
        let note = format!("{} ms, {} {unit}", integer(values[1]), values[0]);
        bars.push(Bar { kind: Kind::of(&case), name: plain(&case), value: values[1], note, starts_group: false });
    }
    bars.sort_by(|one, other| one.value.total_cmp(&other.value));
    Ok(Chart {
        title: "100 simultaneous requests with an unavailable token endpoint".into(),
        subtitle: "Milliseconds until the last request has failed, and token requests. Each token request takes 50 ms."
            .into(),
        bars,
    })
}

/// Removes Markdown.
fn plain(case: &str) -> String {
    case.replace(['`', '*'], "").replace(", 64 B", "")
}
