//! No two types and no two files of `src` have one name.

use std::collections::BTreeMap;

use crate::imports::{is_test_file, without_tests};
use crate::source::File;

/// Files that define the types for a build without a feature, with the names that the types with the feature have.
const ALTERNATIVES: &[&str] = &["observe/noop.rs", "observe/noop_span.rs"];

/// Types of the public API that are only used with the names of their modules: `jwt::Key` and `store::Key`.
const QUALIFIED: &[&str] = &["Key"];

/// The names of types that several files define, with the files.
pub(crate) fn types(files: &[File]) -> Vec<String> {
    let mut defined: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| !is_test_file(file, files) && !ALTERNATIVES.contains(&&*file.path)) {
        let words = without_tests(&file.words);
        // The blocks that we are in; a `type` in an `impl` or a `trait` is an associated type.
        let (mut blocks, mut next) = (Vec::new(), "");
        for (at, word) in words.iter().enumerate() {
            match word.text.as_str() {
                "impl" | "trait" if blocks.is_empty() || blocks.iter().all(|block| *block == "mod") => next = "impl",
                "mod" => next = "mod",
                ";" => next = "",
                "{" => blocks.push(std::mem::take(&mut next)),
                "}" => drop(blocks.pop()),
                _ => {}
            }
            let name = words.get(at + 1).map_or("", |word| word.text.as_str());
            let is_type = ["struct", "enum", "union", "trait"].contains(&word.text.as_str())
                || word == "type" && !blocks.contains(&"impl");
            if is_type && name.starts_with(char::is_uppercase) && !QUALIFIED.contains(&name) {
                defined.entry(name.to_owned()).or_default().push(format!("src/{}:{}", file.path, word.line));
            }
        }
    }
    let several = defined.into_iter().filter(|(_, places)| places.len() > 1);
    several.map(|(name, places)| format!("the type `{name}` is defined at {}", places.join(" and "))).collect()
}

/// The names of files that occur in several folders.
pub(crate) fn file_names(files: &[File]) -> Vec<String> {
    let mut paths: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for file in files {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if name != "mod.rs" {
            paths.entry(name).or_default().push(format!("src/{}", file.path));
        }
    }
    let several = paths.into_values().filter(|paths| paths.len() > 1);
    several.map(|paths| format!("one file name: {}", paths.join(" and "))).collect()
}

#[test]
fn two_types_or_files_of_one_name_are_reported() {
    let files = [
        (
            "a/options.rs",
            "struct Origin;\nimpl Iterator for Origin { type Item = u8; }\n#[cfg(test)]\nmod tests { struct T; }",
        ),
        (
            "b/options.rs",
            "pub(crate) enum Origin {}\nimpl Iterator for A { type Item = u8; }\n#[cfg(test)]\nmod tests { struct T; }",
        ),
        ("a/mod.rs", "type Body = u8;"),
        ("b/mod.rs", "trait Body { type Data; }"),
    ];
    let files: Vec<File> = files.iter().map(|(path, text)| File::new(path, text)).collect();
    assert_eq!(
        types(&files),
        [
            "the type `Body` is defined at src/a/mod.rs:1 and src/b/mod.rs:1",
            "the type `Origin` is defined at src/a/options.rs:1 and src/b/options.rs:1",
        ]
    );
    assert_eq!(file_names(&files), ["one file name: src/a/options.rs and src/b/options.rs"]);
}
