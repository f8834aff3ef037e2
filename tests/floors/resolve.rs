//! Resolves a path to the file that defines the item.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::File;
use crate::uses::{Contents, Place, contents};

/// The index of a file in the list of files.
pub(crate) type Number = usize;

pub(crate) struct Crate<'a> {
    pub(crate) files: &'a [File],
    pub(crate) contents: Vec<Contents>,
    modules: BTreeMap<Vec<String>, Number>,
}

impl<'a> Crate<'a> {
    pub(crate) fn new(files: &'a [File]) -> Self {
        let modules = files.iter().enumerate().map(|(number, file)| (module(file), number)).collect();
        Self { files, contents: files.iter().map(contents).collect(), modules }
    }

    /// Returns whether the file has submodules in their own files.
    pub(crate) fn is_title_page(&self, number: Number) -> bool {
        let own = module(&self.files[number]);
        self.modules.keys().any(|other| other.len() > own.len() && other.starts_with(&own))
    }

    /// Resolves a path that is written at `place` to a path from the root of the crate. Returns `None` if it leads out of the crate, or
    /// to a name of the file itself.
    pub(crate) fn absolute(&self, number: Number, place: &Place, path: &[String]) -> Option<Vec<String>> {
        let own = module(&self.files[number]);
        let mut here = own.clone();
        here.extend(place.inline.iter().cloned());
        let first = path.first()?.as_str();
        let mut rest = path;
        match first {
            "crate" => (here, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    here.pop();
                    rest = &rest[1..];
                }
            }
            // A submodule in its own file.
            name => {
                here.push(name.to_owned());
                self.modules.get(&here)?;
                here.pop();
            }
        }
        here.extend(rest.iter().cloned());
        Some(here)
    }

    /// Returns the file of the module `path`.
    pub(crate) fn module(&self, path: &[String]) -> Option<Number> {
        self.modules.get(path).copied()
    }

    /// Returns the files that define the item `path`. There are several if the definition depends on the configuration.
    pub(crate) fn defining(&self, path: &[String]) -> BTreeSet<Number> {
        let found = self.find(path, 0);
        if found.is_empty() { self.nearest(path).map(|(_, number)| number).into_iter().collect() } else { found }
    }

    fn find(&self, path: &[String], depth: usize) -> BTreeSet<Number> {
        let Some((length, number)) = self.nearest(path).filter(|_| depth < 16) else { return BTreeSet::new() };
        let Some(name) = path.get(length) else { return BTreeSet::from([number]) };
        let contents = &self.contents[number];
        let mut found = BTreeSet::new();
        for import in contents.uses.iter().filter(|import| import.name == *name) {
            match self.absolute(number, &import.place, &import.path) {
                Some(mut target) if target != path[..=length] => {
                    target.extend_from_slice(&path[length + 1..]);
                    let defining = self.find(&target, depth + 1);
                    // An item that a macro defines counts for the file of the module in the path.
                    let nearest = self.nearest(&target).map(|(_, number)| number).filter(|_| defining.is_empty());
                    found.extend(defining.into_iter().chain(nearest));
                }
                _ => drop(found.insert(number)),
            }
        }
        if found.is_empty() && contents.defined.contains(name) {
            found.insert(number);
        }
        if found.is_empty() {
            for glob in contents.uses.iter().filter(|import| import.name == "*") {
                if let Some(mut target) = self.absolute(number, &glob.place, &glob.path) {
                    target.pop();
                    target.extend_from_slice(&path[length..]);
                    found.extend(self.find(&target, depth + 1));
                }
            }
        }
        found
    }

    /// Returns the file of the longest prefix of `path` that is a module, and the length of that prefix.
    fn nearest(&self, path: &[String]) -> Option<(usize, Number)> {
        (0..=path.len()).rev().find_map(|length| Some((length, self.module(&path[..length])?)))
    }
}

pub(crate) fn module(file: &File) -> Vec<String> {
    file.modules().into_iter().map(ToOwned::to_owned).collect()
}
