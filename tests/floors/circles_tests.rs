//! Tests of the rule about circles between files.

use crate::circles::{circles, described};
use crate::source::File;

fn files(files: &[(&str, &str)]) -> Vec<File> {
    let mut files: Vec<File> = files.iter().map(|(path, text)| File::new(path, text)).collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

/// Returns the folder and the lines of each circle.
fn found(made_up: &[(&str, &str)]) -> Vec<String> {
    circles(&files(made_up))
        .into_iter()
        .map(|circle| format!("{}: {}", circle.folder, circle.lines.join("; ")))
        .collect()
}

#[test]
fn files_that_import_each_other_are_reported() {
    let found_circles = found(&[
        ("cell/mod.rs", "mod a;\nmod b;\nmod c;"),
        ("cell/a.rs", "use std::fmt;\nuse super::b::{B, Bee};"),
        ("cell/b.rs", "fn f() { super::c::f() }"),
        ("cell/c.rs", "use crate::{error::Error, cell::a::A as Other};"),
        ("cell/d.rs", "use super::a::A;"),
        ("error.rs", ""),
    ]);
    assert_eq!(
        found_circles,
        ["src/cell: cell/a.rs imports cell/b.rs (`B`, line 2); cell/b.rs imports cell/c.rs (`f`, line 1); \
          cell/c.rs imports cell/a.rs (`A`, line 1)"]
    );
}

#[test]
fn a_circle_can_span_folders() {
    let found_circles =
        found(&[("grant/common/x.rs", "use crate::grant::pkce::P;"), ("grant/pkce.rs", "use super::common::x::X;")]);
    assert_eq!(found_circles.len(), 1);
    assert!(found_circles[0].starts_with("src/grant: "), "{found_circles:?}");
    let found_circles = found(&[("route.rs", "use crate::retry;"), ("retry.rs", "use crate::route::Route;")]);
    assert!(found_circles[0].starts_with("src: "), "{found_circles:?}");
}

#[test]
fn an_item_of_the_title_page_is_an_import_of_it() {
    let page = ("cell/mod.rs", "mod clock;\nuse self::clock::Timer;\npub(crate) struct Cell(Timer);");
    let found_circles = found(&[page, ("cell/clock.rs", "use super::Cell;\npub(super) struct Timer;")]);
    assert_eq!(
        found_circles,
        [
            "src/cell: cell/clock.rs imports cell/mod.rs (`Cell`, line 1); cell/mod.rs imports cell/clock.rs (`Timer`, line 2)"
        ]
    );
    let page = ("cell/mod.rs", "mod clock;\nstruct Cell {\n    timer: clock::Timer }");
    let found_circles = found(&[page, ("cell/clock.rs", "impl super::Cell {}")]);
    assert!(found_circles[0].ends_with("cell/mod.rs imports cell/clock.rs (`Timer`, line 3)"), "{found_circles:?}");
}

#[test]
fn a_name_that_is_reexported_is_an_import_of_the_file_that_defines_it() {
    // A re-export in the title page is neither an import by the title page nor an import of it.
    let page =
        ("cell/mod.rs", "mod state;\nmod tokens;\npub use self::tokens::Tokens;\npub(crate) use self::state::*;");
    let tokens = ("cell/tokens.rs", "use super::State;\npub struct Tokens;");
    let state = |text| ("cell/state.rs", text);
    assert!(found(&[page, tokens, state("pub(crate) struct State;")]).is_empty());
    let other = ("layer.rs", "use crate::cell::Tokens;");
    assert!(found(&[page, tokens, other, state("pub(crate) struct State;")]).is_empty());
    let found_circles = found(&[page, tokens, state("use crate::cell::Tokens;\npub(crate) struct State;")]);
    assert_eq!(
        found_circles,
        ["src/cell: cell/state.rs imports cell/tokens.rs (`Tokens`, line 1); \
          cell/tokens.rs imports cell/state.rs (`State`, line 1)"]
    );
}

#[test]
fn a_title_page_that_uses_an_item_that_it_reexports_imports_it() {
    let page = "mod tokens;\npub use self::tokens::Tokens;\npub struct Cell;\n";
    let tokens = ("cell/tokens.rs", "use super::Cell;\npub struct Tokens;");
    assert!(found(&[("cell/mod.rs", page), tokens]).is_empty());
    let found_circles = found(&[("cell/mod.rs", &format!("{page}fn f(_: Tokens) {{}}")), tokens]);
    assert!(found_circles[0].contains("cell/mod.rs imports cell/tokens.rs (`Tokens`, line 4)"), "{found_circles:?}");
}

#[test]
fn a_module_that_is_imported_is_followed_to_the_items() {
    let page = ("cell/mod.rs", "mod a;\nmod b;\npub use self::b::B;\npub fn here() {}");
    let a = "use crate::cell;\nfn f(cell: u8) -> cell::B {}\n";
    let b = ("cell/b.rs", "use super::a;\npub struct B;");
    let found_circles = found(&[page, ("cell/a.rs", a), b]);
    assert!(
        found_circles[0].contains("cell/a.rs imports cell/b.rs (`B`, line 2); cell/b.rs imports cell/a.rs"),
        "{found_circles:?}"
    );
    // An item of the root, and an item behind a chain of re-exports.
    let root = ("lib.rs", "pub mod error;\npub use self::error::failure::Error;");
    let error =
        [("error/mod.rs", "mod failure;\nmod kind;"), ("error/failure.rs", "use super::kind;\npub struct Error;")];
    let found_circles = found(&[root, error[0], error[1], ("error/kind.rs", "use crate::Error;")]);
    assert!(found_circles[0].starts_with("src/error: error/failure.rs imports error/kind.rs"), "{found_circles:?}");
}

#[test]
fn both_sides_of_a_configuration_count() {
    let page = "mod one;\nmod other;\n#[cfg(x)]\npub use self::one::X;\n#[cfg(not(x))]\npub use self::other::X;";
    let found_circles = found(&[
        ("a/mod.rs", page),
        ("a/one.rs", "use super::user::f;"),
        ("a/user.rs", "use super::X;\npub fn f() {}"),
    ]);
    assert_eq!(found_circles.len(), 1, "{found_circles:?}");
}

#[test]
fn inline_modules_are_part_of_their_file() {
    let text = "mod imp { use super::f; pub(super) use super::super::b::B; }\nfn f() {}";
    let found_circles = found(&[("cell/a.rs", text), ("cell/b.rs", "use super::a::imp::Name;")]);
    assert!(found_circles[0].contains("cell/a.rs imports cell/b.rs (`B`, line 1)"), "{found_circles:?}");
}

#[test]
fn tests_comments_and_visibilities_do_not_count() {
    let a = "//! [`super::b`]\npub(in crate::cell::b) struct A;\n#[cfg(test)]\nmod tests { use super::super::b::B; }";
    assert!(found(&[("cell/a.rs", a), ("cell/b.rs", "use super::a::A;\npub struct B;")]).is_empty());
    let page = ("cell/mod.rs", "#[cfg(test)]\nmod tests;");
    assert!(found(&[page, ("cell/a.rs", "use super::tests::T;"), ("cell/tests.rs", "use super::a::A;")]).is_empty());
}

#[test]
fn a_circle_is_described_with_its_folder_and_its_files() {
    let made_up = files(&[("cell/a.rs", "use super::b::B;"), ("cell/b.rs", "use super::a::A;")]);
    let [text] = described(&circles(&made_up)).try_into().unwrap();
    assert!(text.starts_with("a circle of imports in src/cell:\n    cell/a.rs imports cell/b.rs"), "{text}");
}
