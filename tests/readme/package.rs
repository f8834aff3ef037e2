//! Compiles the README's program in its own package, with the dependencies that the README lists.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::page::{block, read};

#[test]
fn the_first_program_compiles_with_the_dependencies_that_are_printed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = read("README.md");
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    std::fs::create_dir_all(package.join("src")).unwrap();
    let write = |name: &str, content: &str| std::fs::write(package.join(name), content).unwrap();
    write("Cargo.toml", &manifest(block(&readme, "text"), &read("Cargo.lock"), root));
    write("src/main.rs", block(&readme, "rust,no_run"));
    // Uses the locked versions, so that nothing is downloaded.
    std::fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();

    // Shares the target folder, because it already contains most dependencies.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["check", "--offline", "--quiet"])
        .current_dir(&package)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Returns the manifest that these `cargo add` lines produce, with this crate as a path dependency.
fn manifest(lines: &str, lock: &str, root: &Path) -> String {
    // The package is its own workspace, because it is inside the repository.
    let mut manifest = "[package]\nname = \"readme\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n".to_owned();
    for line in lines.lines() {
        let words = line.strip_prefix("cargo add ").unwrap_or_else(|| panic!("not `cargo add`: {line}"));
        let (crates, features) = words.split_once(" --features ").unwrap_or((words, ""));
        let features: Vec<&str> = features.split(',').filter(|name| !name.is_empty()).collect();
        for name in crates.split(' ') {
            let source = match name {
                "tower-oauth2" => format!("path = {root:?}"),
                _ => format!("version = \"{}\"", newest(lock, name)),
            };
            writeln!(manifest, "{name} = {{ {source}, features = {features:?} }}").unwrap();
        }
    }
    manifest
}

/// Returns the newest version of a crate in the lock file, as `cargo add` takes the newest version.
fn newest<'a>(lock: &'a str, name: &str) -> &'a str {
    let wanted = format!("name = \"{name}\"");
    let versions = lock.lines().zip(lock.lines().skip(1)).filter(|(line, _)| *line == wanted);
    let versions = versions.map(|(_, next)| next.trim_start_matches("version = ").trim_matches('"'));
    let number = |version: &str| version.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u32>>();
    versions.max_by_key(|version| number(version)).unwrap_or_else(|| panic!("{name} is not in Cargo.lock"))
}
