//! The pages of `docs/`: the floors as they show them, and the way to each.

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

/// The pages that are not to be found from one of the places where people look for them.
pub(crate) fn lost() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (readme, modules) = ["README.md", "src/lib.rs"].map(|path| fs::read_to_string(root.join(path)).unwrap()).into();
    let landing = read("crate.md");
    let names = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut lost = Vec::new();
    for page in names.filter_map(|name| Some(name.strip_suffix(".md")?.to_owned())).filter(|page| page != "crate") {
        let module = page.replace('-', "_");
        for (place, text, link) in [
            ("README.md", &readme, format!("(docs/{page}.md)")),
            ("src/lib.rs", &modules, format!("pub mod {module} {{}}")),
            ("docs/crate.md", &landing, format!("[docs::{module}]")),
        ] {
            if !text.contains(&link) {
                lost.push(format!("docs/{page}.md: `{link}` is missing in {place}"));
            }
        }
    }
    lost
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
