//! The `use` declarations, the paths and the definitions of a file, without tests.

use crate::imports::without_tests;
use crate::source::File;
use crate::words::Word;

/// A name that a `use` declaration imports.
pub(crate) struct Use {
    /// The path as it is written, including `self`, `super` and `crate`. `*` is the last segment of a glob.
    pub(crate) path: Vec<String>,
    /// The name in this file.
    pub(crate) name: String,
    /// Whether the declaration has a visibility, and so re-exports the name.
    pub(crate) is_public: bool,
    pub(crate) place: Place,
}

/// A path in code, or a single word that does not follow a dot.
pub(crate) struct CodePath {
    pub(crate) path: Vec<String>,
    pub(crate) place: Place,
}

#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) line: usize,
    /// The enclosing inline modules.
    pub(crate) inline: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) uses: Vec<Use>,
    pub(crate) paths: Vec<CodePath>,
    pub(crate) defined: Vec<String>,
}

const ITEMS: [&str; 9] = ["struct", "enum", "union", "trait", "fn", "type", "const", "static", "mod"];

pub(crate) fn contents(file: &File) -> Contents {
    let words = without_tests(&file.words);
    let text = |at: usize| words.get(at).map_or("", |word| word.text.as_str());
    let mut found = Contents::default();
    // The enclosing inline modules, each with the brace depth around it.
    let mut inline: Vec<(String, usize)> = Vec::new();
    let (mut at, mut depth, mut is_public) = (0, 0_usize, false);
    while at < words.len() {
        let place = || Place { line: words[at].line, inline: inline.iter().map(|(name, _)| name.clone()).collect() };
        let mut length = 1;
        let mut stays_public = false;
        match text(at) {
            "pub" => {
                stays_public = true;
                if text(at + 1) == "(" && ["crate", "super", "self", "in"].contains(&text(at + 2)) {
                    length = 1 + words[at..].iter().position(|word| word == ")").expect("a visibility ends");
                }
            }
            "use" if text(at + 1) != "<" => {
                length = words[at..].iter().position(|word| word == ";").unwrap_or(words.len() - at);
                for (path, name) in leaves(&words[at + 1..at + length]) {
                    found.uses.push(Use { path, name, is_public, place: place() });
                }
            }
            "mod" if text(at + 2) == ";" => length = 3,
            "mod" if text(at + 2) == "{" => {
                found.defined.push(text(at + 1).to_owned());
                inline.push((text(at + 1).to_owned(), depth));
                length = 2;
            }
            "macro_rules" if text(at + 1) == "!" => {
                found.defined.push(text(at + 2).to_owned());
                length = 3;
            }
            // After an apostrophe, `static` is a lifetime. `const fn f` defines a function.
            item if ITEMS.contains(&item)
                && is_name(text(at + 1))
                && !ITEMS.contains(&text(at + 1))
                && (at == 0 || text(at - 1) != "'") =>
            {
                found.defined.push(text(at + 1).to_owned());
                length = 2;
            }
            item if ITEMS.contains(&item) => {}
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inline.pop_if(|(_, began)| *began == depth);
            }
            word if is_name(word) => {
                let path = path(&words[at..]);
                length = 2 * path.len() - 1;
                if at == 0 || ![".", "::"].contains(&text(at - 1)) {
                    found.paths.push(CodePath { path, place: place() });
                }
            }
            _ => {}
        }
        is_public = stays_public;
        at += length;
    }
    found
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Returns the path that `words` begin with.
fn path(words: &[Word]) -> Vec<String> {
    let mut names = vec![words[0].text.clone()];
    for two in words[1..].chunks_exact(2).take_while(|two| two[0] == "::" && is_name(&two[1].text)) {
        names.push(two[1].text.clone());
    }
    names
}

/// Returns the paths of a `use` with their names: `a::{self, b as c}` imports `a` as `a` and `a::b` as `c`.
fn leaves(words: &[Word]) -> Vec<(Vec<String>, String)> {
    let (mut found, mut outer) = (Vec::new(), Vec::new());
    let mut path: Vec<String> = Vec::new();
    let mut name: Option<String> = None;
    let mut words = words.iter().map(|word| word.text.as_str()).filter(|word| *word != "::").peekable();
    while let Some(word) = words.next() {
        match word {
            "{" => outer.push(path.len()),
            "as" => name = words.next().map(ToOwned::to_owned),
            word if !matches!(word, "," | "}") => path.push(word.to_owned()),
            _ => {}
        }
        // A path ends before a comma, before a brace, or at the end of the declaration.
        let begins_group = words.peek().is_some_and(|next| *next == "{");
        let ends = words.peek().is_none_or(|next| matches!(*next, "," | "}"));
        let group = outer.last().copied().unwrap_or(0);
        if ends && !begins_group && path.len() > group {
            if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            let last = path.last().cloned().unwrap_or_default();
            found.push((path.clone(), name.take().unwrap_or(last)));
            path.truncate(group);
        }
        if word == "}" {
            outer.pop();
            path.truncate(outer.last().copied().unwrap_or(0));
        }
    }
    found
}
