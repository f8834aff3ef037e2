//! The imports of a file, by module.

use std::collections::BTreeMap;

use crate::source::File;
use crate::words::Word;

pub(crate) struct Import {
    /// The first name after `crate::`.
    pub(crate) name: String,
    pub(crate) line: usize,
}

/// Returns the module of each re-export at the root of the crate, from the `pub use` lines of `lib.rs`.
pub(crate) fn reexports(files: &[File]) -> BTreeMap<String, String> {
    let mut from = BTreeMap::new();
    let Some(root) = files.iter().find(|file| file.is_root()) else { return from };
    for line in root.words.split(|word| word == ";") {
        let Some(at) = line.windows(2).position(|two| two[0] == "pub" && two[1] == "use") else { continue };
        let mut path = line[at + 2..].iter().filter(|word| *word != "::" && *word != "crate" && *word != "self");
        let Some(module) = path.next() else { continue };
        for name in path.filter(|word| word.text.starts_with(char::is_uppercase)) {
            from.insert(name.text.clone(), module.text.clone());
        }
    }
    from
}

/// Returns the imports by `crate::`, or by a chain of `super::` that leads to the root, outside of tests.
pub(crate) fn imports(file: &File) -> Vec<Import> {
    let words = without_tests(&file.words);
    let mut found = Vec::new();
    // The brace depths at which the enclosing inline modules begin.
    let (mut inline, mut depth) = (Vec::new(), 0);
    let mut at = 0;
    while at < words.len() {
        let next = |n: usize| words.get(at + n).map_or("", |word| word.text.as_str());
        match words[at].text.as_str() {
            "mod" if next(2) == "{" => inline.push(depth),
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inline.pop_if(|began| *began == depth);
            }
            "crate" if next(1) == "::" => found.extend(first_names(&words[at + 2..])),
            "super" => {
                let climbs = words[at..].chunks(2).take_while(|two| two[0] == "super").count();
                if climbs == file.modules().len() + inline.len() {
                    found.extend(first_names(&words[at + 2 * climbs..]));
                }
                at += 2 * climbs - 1;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Returns the first name of a path, or the first names of a group `{a, b::c}`.
fn first_names(path: &[Word]) -> Vec<Import> {
    let import = |word: &Word| Import { name: word.text.clone(), line: word.line };
    if path.first().is_none_or(|word| word != "{") {
        return path.first().map(import).into_iter().collect();
    }
    let mut found = Vec::new();
    let (mut depth, mut start) = (0, false);
    for word in path {
        match word.text.as_str() {
            "{" => (depth, start) = (depth + 1, depth == 0),
            "}" if depth == 1 => break,
            "}" => depth -= 1,
            "," => start = depth == 1,
            _ if start => {
                found.push(import(word));
                start = false;
            }
            _ => {}
        }
    }
    found
}

/// Removes the items under a `#[cfg(test)]`.
pub(crate) fn without_tests(words: &[Word]) -> Vec<Word> {
    let mut kept = Vec::new();
    let mut rest = words;
    while let Some(word) = rest.first() {
        match test_item(rest) {
            Some(length) => rest = &rest[length..],
            None => {
                kept.push(word.clone());
                rest = &rest[1..];
            }
        }
    }
    kept
}

/// Returns the length of the first item, if it is under a `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn test_item(words: &[Word]) -> Option<usize> {
    let attribute = words.iter().position(|word| word == "]").map(|end| &words[..=end])?;
    let is_cfg = attribute.len() > 3 && attribute[0] == "#" && attribute[1] == "[" && attribute[2] == "cfg";
    let names_test = attribute.windows(3).any(|three| three[2] == "test" && three[0] != "not");
    if !is_cfg || !names_test {
        return None;
    }
    let mut depth = 0;
    for (at, word) in words.iter().enumerate().skip(attribute.len()) {
        match word.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 && (word == ";" || word == "}") {
            return Some(at + 1);
        }
    }
    Some(words.len())
}

/// Returns whether the file belongs to a module that is declared under a `#[cfg(test)]`.
pub(crate) fn is_test_file(file: &File, files: &[File]) -> bool {
    let modules = file.modules();
    (0..modules.len()).any(|depth| {
        let declares = |words: &[Word]| words.windows(3).any(|three| three[0] == "mod" && three[1] == modules[depth]);
        files
            .iter()
            .filter(|parent| parent.modules() == modules[..depth])
            .any(|parent| declares(&parent.words) && !declares(&without_tests(&parent.words)))
    })
}
