//! Writes the measured numbers into `docs/benchmarks.md`, and draws the charts beside it. `benches/run` calls it.

mod chart;
mod goals;
mod machine;
mod numbers;
mod page;

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use chart::{Bar, Chart, Kind};
use numbers::Numbers;
use tower_oauth2_benches::table::whole;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).ok_or("the folder with the results is missing")?;
    let numbers = Numbers::new(folder.as_ref());
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");

    let path = docs.join("benchmarks.md");
    let written = page::fill(&fs::read_to_string(&path)?, |region| match region {
        "machine" => Ok(machine::describe()),
        "goals" => goals::table(&numbers),
        table => numbers.markdown(table),
    })?;
    fs::write(path, written)?;

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
        // One of each: with a token of 64 bytes, and nothing around.
        if values[1] > 0.0 && !case.contains("KiB") && !case.contains("Retry") && !case.contains("bound") {
            let note = format!("{}, {:.1} ×", whole(values[1]), values[2]);
            bars.push(Bar { kind: Kind::of(&case), name: plain(&case), value: values[1], note, begins_group: false });
        }
    }
    bars.sort_by(|one, other| one.value.total_cmp(&other.value));
    Ok(Chart {
        title: "What a token costs a request that has one".into(),
        below: "Instructions more than with no layer, and how many times those of a header that never changes.".into(),
        bars,
    })
}

fn threads(numbers: &Numbers) -> Result<Chart, Box<dyn Error>> {
    let rows = numbers.rows("threads")?;
    let mut bars = Vec::new();
    for (column, threads) in ["1 thread", "2 threads", "4 threads", "8 threads"].into_iter().enumerate() {
        for (row, (case, values)) in rows.iter().enumerate() {
            let note = format!("{:.1} million a second", values[column]);
            bars.push(Bar {
                kind: Kind::of(case),
                name: format!("{threads}, {}", plain(case)),
                value: values[column],
                note,
                begins_group: column > 0 && row == 0,
            });
        }
    }
    Ok(Chart {
        title: "Threads that share one token".into(),
        below: "Requests per second of all threads together, through a service that does nothing.".into(),
        bars,
    })
}

fn failing(numbers: &Numbers) -> Result<Chart, Box<dyn Error>> {
    let mut bars = Vec::new();
    for (case, values) in numbers.rows("herd-failing")? {
        let calls = if values[0] == 1.0 { "call" } else { "calls" };
        let note = format!("{} ms, {} {calls}", whole(values[1]), values[0]);
        bars.push(Bar { kind: Kind::of(&case), name: plain(&case), value: values[1], note, begins_group: false });
    }
    bars.sort_by(|one, other| one.value.total_cmp(&other.value));
    Ok(Chart {
        title: "100 requests meet a token endpoint that is out of order".into(),
        below: "Milliseconds until the last has its error, and calls made. Each call takes 50 ms.".into(),
        bars,
    })
}

/// Without Markdown.
fn plain(case: &str) -> String {
    case.replace(['`', '*'], "").replace(", 64 B", "")
}
