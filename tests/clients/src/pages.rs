//! The programs and the versions of `docs/clients.md` are those of the tests.

use std::fs;
use std::path::Path;

/// Reads a file of this package.
fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Returns the lines without their indentation, because the tests have the programs in functions.
fn lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim())).collect()
}

#[test]
fn each_program_of_the_page_is_in_a_test() {
    let page = read("../../docs/clients.md");
    let sources: Vec<String> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| lines(&fs::read_to_string(path).unwrap()))
        .collect();
    let programs: Vec<_> = page.split("\n```rust\n").skip(1).map(|rest| rest.split_once("\n```").unwrap().0).collect();
    assert!(!programs.is_empty(), "the page has programs");
    for program in programs {
        assert!(sources.iter().any(|source| source.contains(&lines(program))), "no test has this program:\n{program}");
    }
}

/// In the table, and after the name of a crate whose source the page cites.
#[test]
fn the_versions_of_the_page_are_locked() {
    let (page, lock) = (read("../../docs/clients.md"), read("Cargo.lock"));
    let mut versions = 0;
    for line in page.lines() {
        // A name is between backquotes, and its version follows: "`kube` 5.0.0", or "| [`kube`](#kube) | 5.0.0 |".
        let parts: Vec<&str> = line.split('`').collect();
        for (name, after) in parts.iter().skip(1).zip(parts.iter().skip(2)).step_by(2) {
            let after = after.split_once(") | ").map_or(*after, |(_, cell)| cell).trim_start();
            let version = after.split([' ', ',', ')']).next().unwrap();
            if version.split('.').count() == 3 && version.starts_with(|c: char| c.is_ascii_digit()) {
                let locked = format!("name = \"{name}\"\nversion = \"{version}\"\n");
                assert!(lock.contains(&locked), "Cargo.lock has another version of {name} than {version}");
                versions += 1;
            }
        }
    }
    assert!(versions > 3, "the page has versions");
}
