//! The imports between files, and the circles that they form.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::is_test_file;
use crate::resolve::{Crate, Number, module};
use crate::source::File;

/// For each file, the files that it imports, with the line and the name of the first import.
pub(crate) type Imports = BTreeMap<Number, BTreeMap<Number, (usize, String)>>;

/// Files that import each other, directly or through others.
pub(crate) struct Circle {
    /// The folder that contains all of them.
    pub(crate) folder: String,
    /// A line of text for each file, with its imports from the others.
    pub(crate) lines: Vec<String>,
}

/// Returns the imports of each file, except tests and `lib.rs`, which imports all modules.
pub(crate) fn between(files: &[File]) -> Imports {
    let known = Crate::new(files);
    (0..files.len())
        .filter(|number| !files[*number].is_root() && !is_test_file(&files[*number], files))
        .map(|number| (number, imports(&known, number)))
        .collect()
}

pub(crate) fn circles(files: &[File]) -> Vec<Circle> {
    let imports = between(files);
    let reached: BTreeMap<Number, BTreeSet<Number>> =
        imports.keys().map(|number| (*number, reached(&imports, *number))).collect();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (number, others) in &reached {
        if others.contains(number) && !seen.contains(number) {
            let back = |other: &Number| reached.get(other).is_some_and(|from| from.contains(number));
            let members: BTreeSet<Number> = others.iter().copied().filter(back).collect();
            found.push(circle(files, &imports, &members));
            seen.extend(members);
        }
    }
    found
}

/// Describes each circle as text.
pub(crate) fn described(circles: &[Circle]) -> Vec<String> {
    let text =
        |circle: &Circle| format!("a circle of imports in {}:\n    {}", circle.folder, circle.lines.join("\n    "));
    circles.iter().map(text).collect()
}

fn reached(imports: &Imports, from: Number) -> BTreeSet<Number> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(number) = next.pop() {
        for other in imports.get(&number).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(*other) {
                next.push(*other);
            }
        }
    }
    seen
}

fn circle(files: &[File], imports: &Imports, members: &BTreeSet<Number>) -> Circle {
    let line = |number: &Number| {
        let others = imports[number].iter().filter(|(other, _)| members.contains(other));
        let others: Vec<String> =
            others.map(|(other, (line, name))| format!("{} (`{name}`, line {line})", files[*other].path)).collect();
        format!("{} imports {}", files[*number].path, others.join(", "))
    };
    let folder = |number: &Number| files[*number].path.split('/').rev().skip(1).collect::<Vec<_>>();
    let common = members.iter().map(folder).reduce(|one, other| {
        let same = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
        one[one.len() - same..].to_vec()
    });
    let mut path = vec!["src"];
    path.extend(common.unwrap_or_default().into_iter().rev());
    Circle { folder: path.join("/"), lines: members.iter().map(line).collect() }
}

/// Returns the files that this file imports, with the line and the name of the first import.
fn imports(known: &Crate<'_>, number: Number) -> BTreeMap<Number, (usize, String)> {
    let mut found = BTreeMap::new();
    let mut add = |path: &[String], line: usize| {
        for other in known.defining(path).into_iter().filter(|other| *other != number) {
            found.entry(other).or_insert((line, path.last().cloned().unwrap_or_default()));
        }
    };
    let own = module(&known.files[number]);
    let contents = &known.contents[number];
    let is_title_page = known.is_title_page(number);
    // Names for which the paths in the code count, and not the `use` declaration.
    let mut followed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for import in &contents.uses {
        let Some(path) = known.absolute(number, &import.place, &import.path) else { continue };
        let is_reexport = is_title_page && import.is_public && path.len() > own.len() && path.starts_with(&own);
        let is_page = known.module(&path).is_some_and(|other| known.is_title_page(other));
        if is_reexport || is_page {
            followed.insert(&import.name, path);
        } else {
            add(&path, import.place.line);
        }
    }
    for code in &contents.paths {
        let path = match followed.get(code.path[0].as_str()) {
            // A variable can have the name of a module.
            Some(start) if code.path.len() == 1 && known.module(start).is_some() => None,
            Some(start) => Some(start.iter().chain(&code.path[1..]).cloned().collect()),
            // A single word is a name of this file, a field or a variable.
            None if code.path.len() == 1 => None,
            None => known.absolute(number, &code.place, &code.path),
        };
        if let Some(path) = path {
            add(&path, code.place.line);
        }
    }
    found
}
