//! The floors as `docs/architecture.md` shows them.

use std::fs;
use std::path::Path;

/// The modules of each floor, from the ground up, by the rows of its table.
pub(crate) fn floors() -> Vec<Vec<String>> {
    let page = read("architecture.md");
    let mut rows: Vec<_> = page.lines().filter_map(row).collect();
    rows.sort_by_key(|(floor, _)| *floor);
    rows.into_iter().map(|(_, modules)| modules).collect()
}

/// The names on its picture.
pub(crate) fn picture() -> Vec<String> {
    let picture = read("images/floors.svg");
    let names = picture.split("class=\"m\"").skip(1).filter_map(|text| text.split(['>', '<']).nth(1));
    names.map(ToOwned::to_owned).collect()
}

/// A row that begins with the number of a floor.
fn row(line: &str) -> Option<(usize, Vec<String>)> {
    let mut cells = line.strip_prefix("| ")?.split(" | ");
    let floor = cells.next()?.parse().ok()?;
    let modules = cells.next()?.split_whitespace().map(|name| name.trim_matches('`').to_owned());
    Some((floor, modules.collect()))
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}
