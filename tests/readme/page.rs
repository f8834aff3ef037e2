//! Reads pages of the repository.

use std::path::Path;

pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Returns the first code block of that language.
#[cfg(feature = "https")]
pub(crate) fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n```{language}\n")).expect("a block");
    rest.split_once("\n```").expect("its end").0
}

/// Returns the first cell of each row of the first table after the heading.
pub(crate) fn rows(page: &str, heading: &str) -> Vec<String> {
    cells(page, heading, 0).iter().map(|cell| cell.trim_matches('`').to_owned()).collect()
}

/// Returns one cell of each row of the first table after the heading.
pub(crate) fn cells(page: &str, heading: &str, column: usize) -> Vec<String> {
    let (_, section) = page.split_once(heading).expect("the section");
    let rows = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2).map(|row| row.split('|').nth(column + 1).unwrap().trim().to_owned()).collect()
}
