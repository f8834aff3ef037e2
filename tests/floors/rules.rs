//! The rules for imports between modules, and for the clock and randomness.

use std::collections::{BTreeMap, BTreeSet};

use crate::FLOORS;
use crate::imports::{imports, is_test_file, reexports};
use crate::source::File;

/// Returns the imports that point up, form a circle, or name a module without a floor.
pub(crate) fn upward(files: &[File]) -> Vec<String> {
    let root = reexports(files);
    let mut found = Vec::new();
    let mut level: BTreeMap<(&str, &str), String> = BTreeMap::new();

    for file in files.iter().filter(|file| !file.is_root() && !is_test_file(file, files)) {
        let Some(own) = floor(file.module()) else {
            found.push(format!("{}: the module `{}` has no floor: add it to FLOORS", file.path, file.module()));
            continue;
        };
        for import in imports(file) {
            let module = root.get(&import.name).unwrap_or(&import.name);
            let at = format!("{}:{}", file.path, import.line);
            match floor(module) {
                None => found.push(format!("{at}: `{module}` has no floor: add it to FLOORS")),
                Some(other) if other > own => found.push(format!(
                    "{at}: `{}` on floor {own} imports `{module}` on floor {other}: an import points down",
                    file.module()
                )),
                Some(other) if other == own && module != file.module() => {
                    let (from, _) = known(file.module());
                    let (to, _) = known(module);
                    level.entry((from, to)).or_insert(at);
                }
                Some(_) => {}
            }
        }
    }
    found.extend(circles(&level));
    found
}

/// Returns the imports on one floor that form a circle.
fn circles(level: &BTreeMap<(&str, &str), String>) -> Vec<String> {
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(module) = next.pop() {
            if module == to {
                return true;
            }
            if seen.insert(module) {
                next.extend(level.keys().filter(|(start, _)| *start == module).map(|(_, end)| *end));
            }
        }
        false
    };
    level
        .iter()
        .filter(|((from, to), _)| reaches(to, from))
        .map(|((from, to), at)| format!("{at}: `{from}` imports `{to}`, which leads back to `{from}`: a circle"))
        .collect()
}

/// Returns the lines, including those of tests, that read the time or draw random numbers without the module for it.
pub(crate) fn ambient(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let mut report = |line: usize, what: &str| found.push(format!("{}:{line}: {what}", file.path));
        for words in file.words.windows(3) {
            let [before, colons, word] = words else { continue };
            if file.module() != "clock" && colons == "::" && word == "now" && before != "clock" {
                report(word.line, &format!("`{before}::now` reads the time: use `crate::clock`"));
            }
            if file.module() != "clock" && colons == "." && word == "elapsed" {
                report(word.line, "`elapsed` reads the time: use `crate::clock`");
            }
            if file.module() != "random" && before == "getrandom" {
                report(before.line, "`getrandom`: use `crate::random`");
            }
        }
    }
    found
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|names| names.contains(&module))
}

/// Returns the module's name in FLOORS, and its floor.
fn known(module: &str) -> (&'static str, usize) {
    let floor = floor(module).expect("has a floor");
    let name = FLOORS[floor].iter().find(|name| **name == module).expect("is on its floor");
    (name, floor)
}
