//! Claims that the manifest and the benchmarks confirm.

use std::collections::BTreeSet;

use crate::page::{read, rows};

#[test]
fn each_feature_is_listed_on_both_pages() {
    let manifest = read("Cargo.toml");
    let (_, features) = manifest.split_once("\n[features]\n").unwrap();
    let features: BTreeSet<_> = features
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = [").map(|(name, _)| name.to_owned()))
        .filter(|name| name != "default")
        .collect();
    assert!(features.contains("https"), "{features:?}");
    for (page, heading) in [("README.md", "\n## Features\n"), ("docs/crate.md", "\n# Features\n")] {
        assert_eq!(rows(&read(page), heading).into_iter().collect::<BTreeSet<_>>(), features, "{page}");
    }
}

#[test]
fn the_oldest_rust_is_that_of_the_manifest() {
    let manifest = read("Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(read("README.md").contains(&format!("The minimum supported Rust version is {version}.")), "{version}");
}

/// `docs/crate.md`: "at most a fifth more time than with a static header".
#[test]
fn a_fresh_token_costs_what_the_landing_page_says() {
    assert!(read("docs/crate.md").contains("at most a fifth\n  more time than with a static header"));
    let benchmarks = read("docs/benchmarks.md");
    for goal in ["time of a request, × static header", "the same with a clone per request"] {
        let row = benchmarks.lines().find(|line| line.starts_with(&format!("| {goal} |"))).expect(goal);
        let measured: f64 = row.split('|').nth(3).unwrap().trim().parse().unwrap();
        assert!(measured <= 1.2, "{row}");
    }
    let row = benchmarks.lines().find(|line| line.starts_with("| allocations per request |")).unwrap();
    assert_eq!(row.split('|').nth(3).unwrap().trim(), "0");
}
