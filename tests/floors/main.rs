//! The modules stand on floors, and an import points down.
//!
//! Whoever reads the crate from the ground up never meets a name that is explained further up. A module may import
//! from the floors below it and from its own floor, there without circles. Tests may import from anywhere.
#![cfg(test)]

mod imports;
mod page;
mod rules;
mod source;
mod words;

use imports::imports;
use rules::{ambient, upward};
use source::{File, sources};

/// Each module at the root of the crate, by the floor it stands on.
const FLOORS: [&[&str]; 7] = [
    &["error", "secret", "clock", "panics", "random", "sync"],
    &["token", "scope", "form", "origin", "challenge", "into_url", "observe"],
    &["client", "transport", "https"],
    &["endpoint"],
    &["grant", "store", "test_util"],
    &["cell", "attach"],
    &["layer", "service", "future", "route", "retry"],
];

#[test]
fn imports_point_down() {
    let sources = sources();
    assert!(sources.iter().any(|file| !imports(file).is_empty()), "no import found at all: this test is blind");
    let found = upward(&sources);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn one_module_asks_for_the_time_and_one_for_randomness() {
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
fn there_is_a_way_to_each_page_of_the_docs() {
    let lost = page::lost();
    assert!(lost.is_empty(), "\n{}", lost.join("\n"));
}

// ===== that the rules can fail =====

fn made_up(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> = files.iter().map(|(path, text)| File::new(path, text)).collect();
    upward(&files)
}

#[test]
fn an_import_that_points_up_is_named() {
    let found = made_up(&[("token.rs", "use std::fmt;\n\nuse crate::{error::Error, cell::{Cell, Flight}};\n")]);
    assert_eq!(found, ["token.rs:3: `token` on floor 1 imports `cell` on floor 5: an import points down"]);
}

#[test]
fn a_path_in_the_middle_of_code_counts() {
    let found =
        made_up(&[("cell/state.rs", "fn f(x: &'a u8) -> char {\n    crate::layer::f::<'_'>(b\"\\\"\", '\\'')\n}")]);
    assert_eq!(found, ["cell/state.rs:2: `cell` on floor 5 imports `layer` on floor 6: an import points down"]);
    let found = made_up(&[("cell/state.rs", "mod inner { use super::super::super::layer; }\nuse super::flight;")]);
    assert_eq!(found, ["cell/state.rs:1: `cell` on floor 5 imports `layer` on floor 6: an import points down"]);
}

#[test]
fn a_name_at_the_root_stands_for_its_module() {
    let root = ("lib.rs", "pub mod error;\nmod layer;\npub use self::layer::{OAuth2Layer};\npub use error::Error;");
    let found = made_up(&[root, ("client/mod.rs", "use crate::{Error, OAuth2Layer};")]);
    assert_eq!(found, ["client/mod.rs:1: `client` on floor 2 imports `layer` on floor 6: an import points down"]);
}

#[test]
fn a_circle_between_neighbours_is_named_from_each_side() {
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
fn a_module_without_a_floor_is_named() {
    let found = made_up(&[("cell/mod.rs", "use crate::attic;"), ("cellar.rs", "")]);
    assert_eq!(found[0], "cell/mod.rs:1: `attic` has no floor yet: give it one in FLOORS");
    assert_eq!(found[1], "cellar.rs: the module `cellar` has no floor yet: give it one in FLOORS");
}

#[test]
fn comments_strings_and_tests_are_free() {
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
fn asking_for_the_time_or_randomness_is_named() {
    let text =
        "use tokio::time::Instant as I;\nfn f() {\n    I::now();\n    then.elapsed();\n    getrandom::fill(b);\n}";
    let told = |path| ambient(&[File::new(path, text)]);
    assert_eq!(told("cell/mod.rs").len(), 3);
    assert!(told("cell/mod.rs")[0].starts_with("cell/mod.rs:3: `I::now` asks for the time"));
    assert_eq!(told("clock.rs").len(), 1);
    assert_eq!(told("random.rs").len(), 2);
    assert!(ambient(&[File::new("cell/mod.rs", "let now = clock::now(); // Instant::now()")]).is_empty());
}
