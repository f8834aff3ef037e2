//! The pages of `docs/`: the floors in the page about the architecture, and the links to each page.

use std::fs;
use std::path::Path;

/// Returns the modules of each floor, from the bottom up, from the table of the page about the architecture.
pub(crate) fn floors() -> Vec<Vec<String>> {
    let page = read("architecture.md");
    let mut rows: Vec<_> = page.lines().filter_map(row).collect();
    rows.sort_by_key(|(floor, _)| *floor);
    rows.into_iter().map(|(_, modules)| modules).collect()
}

/// Returns the module names in the picture of that page.
pub(crate) fn picture() -> Vec<String> {
    let picture = read("images/floors.svg");
    let names = picture.split("class=\"m\"").skip(1).filter_map(|text| text.split(['>', '<']).nth(1));
    names.map(ToOwned::to_owned).collect()
}

/// Returns the pages that the README, the landing page or the module `docs` does not list.
pub(crate) fn missing_links() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (readme, modules) = ["README.md", "src/lib.rs"].map(|path| fs::read_to_string(root.join(path)).unwrap()).into();
    let crate_page = read("crate.md");
    let names = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut missing = Vec::new();
    for page in names.filter_map(|name| Some(name.strip_suffix(".md")?.to_owned())).filter(|page| page != "crate") {
        let module = page.replace('-', "_");
        for (place, text, link) in [
            ("README.md", &readme, format!("(docs/{page}.md)")),
            ("src/lib.rs", &modules, format!("pub mod {module} {{}}")),
            ("docs/crate.md", &crate_page, format!("[docs::{module}]")),
        ] {
            if !text.contains(&link) {
                missing.push(format!("docs/{page}.md: `{link}` is missing in {place}"));
            }
        }
    }
    missing
}

/// Returns the files and folders that the pages about the source name, and that do not exist.
pub(crate) fn missing_files() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["", "src", "src/cell", "src/grant", "src/store"].map(|folder| root.join(folder));
    let mut missing = Vec::new();
    for page in ["architecture.md", "request.md"] {
        for name in
            paths(&read(page)).into_iter().filter(|name| !folders.iter().any(|folder| folder.join(name).exists()))
        {
            missing.push(format!("docs/{page}: `{name}` does not exist"));
        }
    }
    missing
}

/// Returns the paths that a page marks as code: names of Rust files, and names with a slash.
fn paths(page: &str) -> Vec<String> {
    let is_path = |code: &str| {
        (code.ends_with(".rs") || code.contains('/') && !code.starts_with('/'))
            && code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '/' | '-'))
    };
    page.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(|code| is_path(code))
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn paths_are_marked_as_code() {
    let page = "src/a.rs `b.rs` `c/d` and `A/B` `.ci/run`\n`tests/e`, `f::g` `h`\n";
    assert_eq!(paths(page), ["b.rs", "c/d", ".ci/run", "tests/e"]);
}

/// Parses a row that begins with the number of a floor.
fn row(line: &str) -> Option<(usize, Vec<String>)> {
    let mut cells = line.strip_prefix("| ")?.split(" | ");
    let floor = cells.next()?.parse().ok()?;
    let modules = cells.next()?.split_whitespace().map(|name| name.trim_matches('`').to_owned());
    Some((floor, modules.collect()))
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}
