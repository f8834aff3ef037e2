//! Checks the structure and the language of the source: imports, names and words.
//!
//! Each module has a floor. It may import from lower floors, and from its own floor if the imports form no circle. Files do not import
//! each other in a circle either: an import counts for the file that defines the item; the `mod` declarations and re-exports of a
//! folder's `mod.rs` do not count. Tests may import from anywhere.
#![cfg(test)]

mod aliases;
mod circles;
mod circles_tests;
mod duplicates;
mod imports;
mod page;
mod prose;
mod resolve;
mod rules;
mod source;
mod summaries;
mod uses;
mod vocabulary;
mod words;

use circles::{between, circles, described};
use imports::{imports, is_test_file};
use rules::{ambient, upward};
use source::{File, sources};

/// The modules at the root of the crate, by floor.
const FLOORS: [&[&str]; 7] = [
    &["error", "secret", "clock", "catch_panic", "random", "sync", "text", "blocking"],
    &["token", "scope", "form", "origin", "challenge", "into_url", "jose", "observe"],
    &["client", "source", "dpop", "transport", "https"],
    &["endpoint"],
    &["grant", "store", "test_util"],
    &["cell", "authorize", "rejection", "extensions"],
    &["layer", "options", "service", "future", "route", "retry", "tenants"],
];

#[test]
fn imports_between_files_form_no_circle() {
    let sources = sources();
    let importing = between(&sources).into_values().filter(|others| !others.is_empty()).count();
    assert!(importing > sources.len() / 2, "few files import another: the test does not recognize imports");
    let found = described(&circles(&sources));
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn imports_point_down() {
    let sources = sources();
    assert!(
        sources.iter().any(|file| !imports(file).is_empty()),
        "no file imports another: the test does not recognize imports"
    );
    let found = upward(&sources);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn one_module_reads_the_time_and_one_draws_random_numbers() {
    let found = ambient(&sources());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_page_about_the_architecture_shows_these_floors() {
    assert_eq!(page::floors(), FLOORS);
    let mut shown = page::picture();
    shown.sort();
    let mut known = FLOORS.concat();
    known.sort();
    assert_eq!(shown, known, "docs/images/floors.svg");
}

#[test]
fn each_page_of_the_docs_is_linked() {
    let missing = page::missing_links();
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn the_words_of_the_field_are_used() {
    let texts = prose::texts(&["src", "docs", "README.md", "CHANGELOG.md", "examples", "tests", "benches", "fuzz"]);
    let found: Vec<String> = texts.iter().flat_map(vocabulary::findings).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_search_of_rustdoc_finds_what_people_type() {
    let texts = prose::texts(&["src"]);
    let texts: Vec<&str> = texts.iter().map(|file| file.text.as_str()).collect();
    let found = aliases::findings(&texts);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn summaries_stand_alone() {
    let sources = sources();
    let is_test =
        |path: &str| sources.iter().any(|file| format!("src/{}", file.path) == path && is_test_file(file, &sources));
    let texts = prose::texts(&["src"]);
    let found: Vec<String> = texts.iter().filter(|text| !is_test(&text.path)).flat_map(summaries::findings).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn types_and_files_have_names_of_their_own() {
    let sources = sources();
    let found = [duplicates::types(&sources), duplicates::file_names(&sources)].concat();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_pages_about_the_source_name_files_that_exist() {
    let missing = page::missing_files();
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

// ===== tests of the rules =====

fn made_up(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> = files.iter().map(|(path, text)| File::new(path, text)).collect();
    upward(&files)
}

#[test]
fn an_import_that_points_up_is_reported() {
    let found = made_up(&[("token.rs", "use std::fmt;\n\nuse crate::{error::Error, cell::{Cell, Tokens}};\n")]);
    assert_eq!(found, ["token.rs:3: `token` on floor 1 imports `cell` on floor 5: an import points down"]);
}

#[test]
fn a_path_in_the_middle_of_code_counts() {
    let found =
        made_up(&[("cell/state.rs", "fn f(x: &'a u8) -> char {\n    crate::layer::f::<'_'>(b\"\\\"\", '\\'')\n}")]);
    assert_eq!(found, ["cell/state.rs:2: `cell` on floor 5 imports `layer` on floor 6: an import points down"]);
    let found = made_up(&[("cell/state.rs", "mod inner { use super::super::super::layer; }\nuse super::refresh;")]);
    assert_eq!(found, ["cell/state.rs:1: `cell` on floor 5 imports `layer` on floor 6: an import points down"]);
}

#[test]
fn a_reexport_of_the_root_counts_for_its_module() {
    let root = ("lib.rs", "pub mod error;\nmod layer;\npub use self::layer::{OAuth2Layer};\npub use error::Error;");
    let found = made_up(&[root, ("client/mod.rs", "use crate::{Error, OAuth2Layer};")]);
    assert_eq!(found, ["client/mod.rs:1: `client` on floor 2 imports `layer` on floor 6: an import points down"]);
}

#[test]
fn a_circle_on_one_floor_is_reported_for_each_import() {
    let found = made_up(&[
        ("layer.rs", "use crate::service;"),
        ("service.rs", "use crate::future;"),
        ("future.rs", "use crate::layer;"),
        ("retry.rs", "use crate::layer;"),
    ]);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("future.rs:1: `future` imports `layer`, which leads back"), "{found:?}");
}

#[test]
fn a_module_without_a_floor_is_reported() {
    let found = made_up(&[("cell/mod.rs", "use crate::attic;"), ("cellar.rs", "")]);
    assert_eq!(found[0], "cell/mod.rs:1: `attic` has no floor: add it to FLOORS");
    assert_eq!(found[1], "cellar.rs: the module `cellar` has no floor: add it to FLOORS");
}

#[test]
fn comments_strings_and_tests_do_not_count() {
    let text = r##"
        //! [`crate::layer`]
        /* crate::layer /* nested */ crate::layer */
        pub(crate) const TEXT: &str = "crate::layer \" crate::layer";
        pub(in crate::token) const RAW: &str = r#"crate::layer " crate::layer"#;
        #[cfg(test)]
        use crate::layer;
        #[cfg(all(test, feature = "x"))]
        mod tests { use crate::layer; fn f() {} }
    "##;
    let parent = ("cell/mod.rs", "#[cfg(test)]\nmod tests;");
    let found = made_up(&[("token.rs", text), parent, ("cell/tests.rs", "use crate::layer;")]);
    assert_eq!(found, Vec::<String>::new());
    let found = made_up(&[("token.rs", "#[cfg(not(test))]\nuse crate::layer;")]);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn reading_the_time_or_drawing_random_numbers_is_reported() {
    let text =
        "use tokio::time::Instant as I;\nfn f() {\n    I::now();\n    then.elapsed();\n    getrandom::fill(b);\n}";
    let found = |path| ambient(&[File::new(path, text)]);
    assert_eq!(found("cell/mod.rs").len(), 3);
    assert!(found("cell/mod.rs")[0].starts_with("cell/mod.rs:3: `I::now` reads the time"));
    assert_eq!(found("clock.rs").len(), 1);
    assert_eq!(found("random.rs").len(), 2);
    assert!(ambient(&[File::new("cell/mod.rs", "let now = clock::now(); // Instant::now()")]).is_empty());
}
