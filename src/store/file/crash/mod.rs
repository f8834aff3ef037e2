//! A save that is interrupted after any file system operation leaves the old entry or the new one: if the process is killed, if an
//! operation fails, and if the power fails.

mod memory_fs;

use std::path::Path;

use self::memory_fs::MemoryFs;
use super::fs::FileSystem as _;
use super::ops;
use super::paths::EntryPaths;
use crate::store::{Entry, Key};
use crate::token::Token;

/// More operations than a save has.
const STEPS: usize = 24;

fn paths() -> EntryPaths {
    EntryPaths::new(Path::new("folder/a.json"))
}

fn key() -> Key {
    Key::new("issuer", "client")
}

fn entry(generation: u64) -> Entry {
    Entry::new(Token::bearer(format!("a{generation}")).unwrap(), generation)
}

/// Returns a file system with generation 1 on it, after a power failure.
fn saved() -> MemoryFs {
    let fs = MemoryFs::default();
    ops::save(&fs, &(), &paths(), &key(), &entry(1)).unwrap();
    fs.after_a_power_failure(false, false)
}

/// Returns the same, where the entry is a mount point.
fn mounted() -> MemoryFs {
    let fs = saved();
    fs.mounted.set(true);
    fs
}

/// Returns the generation of the entry, and checks that the token belongs to it.
fn found(fs: &MemoryFs) -> Option<u64> {
    let found = ops::load_locked(fs, &(), &paths(), &key()).unwrap();
    found.map(|found| {
        assert_eq!(found, entry(found.generation));
        found.generation
    })
}

fn only_the_entry(fs: &MemoryFs) -> bool {
    fs.paths() == [paths().entry()]
}

/// Runs `work` on file systems that stop after each number of operations. `check` gets the resulting state and whether `work`
/// succeeded.
fn at_each_step(
    start: fn() -> MemoryFs,
    recovers: bool,
    work: impl Fn(&MemoryFs) -> bool,
    check: impl Fn(&MemoryFs, bool),
) {
    let mut done = 0;
    for steps in 0..STEPS {
        let fs = start().stopping(steps, recovers);
        let whole = work(&fs);
        done += usize::from(whole);
        check(&fs.restarted(), whole);
    }
    assert!((1..STEPS).contains(&done), "{done} of {STEPS}: not every operation was interrupted");
}

fn save(fs: &MemoryFs) -> bool {
    ops::save(fs, &(), &paths(), &key(), &entry(2)).is_ok()
}

#[test]
fn killed_after_any_step() {
    for start in [saved, mounted] {
        at_each_step(start, false, save, |fs, saved| {
            assert!(found(fs) == Some(2) || (found(fs) == Some(1) && !saved));
            // The next save starts from this state, and removes the temporary file.
            ops::save(fs, &(), &paths(), &key(), &entry(3)).unwrap();
            assert!(found(fs) == Some(3) && only_the_entry(fs));
            assert_eq!(fs.lists.get(), 0, "the directory is not listed");
        });
    }
}

/// Two saves in a row are interrupted, each after any operation.
#[test]
fn killed_several_times() {
    for start in [saved, mounted] {
        for (first, second) in (0..STEPS).flat_map(|first| (0..STEPS).map(move |second| (first, second))) {
            let fs = start().stopping(first, false);
            let saved = save(&fs);
            let fs = fs.restarted().stopping(second, false);
            let saved = ops::save(&fs, &(), &paths(), &key(), &entry(3)).is_ok().then_some(3).or(saved.then_some(2));
            let fs = fs.restarted();
            assert!(found(&fs) >= saved.or(Some(1)), "{first} {second}");
            ops::save(&fs, &(), &paths(), &key(), &entry(4)).unwrap();
            assert!(found(&fs) == Some(4) && only_the_entry(&fs), "{first} {second}");
        }
    }
}

#[test]
fn failed_at_any_step() {
    at_each_step(saved, true, save, |fs, saved| {
        assert!(found(fs) == Some(2) || (found(fs) == Some(1) && !saved));
        assert!(only_the_entry(fs), "a temporary file that is not used is removed at once");
    });
    at_each_step(mounted, true, save, |fs, saved| {
        // The temporary file may be the only complete one.
        assert!(found(fs) == Some(2) || (found(fs) == Some(1) && !saved));
        ops::save(fs, &(), &paths(), &key(), &entry(3)).unwrap();
        assert!(found(fs) == Some(3) && only_the_entry(fs));
    });
}

#[test]
fn the_power_fails_after_any_step() {
    for (keep_names, keep_contents) in [(false, false), (false, true), (true, false), (true, true)] {
        for start in [saved, mounted] {
            at_each_step(start, false, save, |fs, saved| {
                let found = found(&fs.after_a_power_failure(keep_names, keep_contents));
                assert!(found == Some(2) || (found == Some(1) && !saved), "{found:?}");
            });
        }
    }
}

#[test]
fn a_clear_stopped_after_any_step() {
    let clear = |fs: &MemoryFs| ops::clear(fs, &(), &paths(), &key(), 1).is_ok();
    for start in [saved, mounted] {
        at_each_step(start, false, clear, |fs, cleared| {
            let found = found(&fs.after_a_power_failure(false, false));
            assert!(found.is_none() || (found == Some(1) && !cleared), "{found:?}");
        });
        for steps in 0..STEPS {
            let fs = start().stopping(steps, false);
            save(&fs);
            let fs = fs.restarted();
            let is_mount = fs.mounted.get();
            ops::clear(&fs, &(), &paths(), &key(), u64::MAX).unwrap();
            assert_eq!(found(&fs), None, "{steps}");
            assert!(fs.paths().is_empty() || is_mount && only_the_entry(&fs), "no token is left behind");
            if is_mount {
                assert!(fs.read(paths().entry()).unwrap().is_empty(), "no token is left behind");
            }
            ops::clear(&fs, &(), &paths(), &key(), u64::MAX).unwrap();
        }
    }
}

/// A logout that leaves a token behind must not succeed.
#[test]
fn clear_removes_a_temporary_file_that_no_note_names() {
    let fs = saved();
    let leftover = paths().new_temporary().unwrap();
    fs.create(&leftover).unwrap();
    ops::clear(&fs, &(), &paths(), &key(), 1).unwrap();
    assert!(fs.paths().is_empty());
}

#[test]
fn an_entry_that_is_newer_or_unreadable_is_not_changed() {
    let fs = saved();
    ops::save(&fs, &(), &paths(), &key(), &entry(0)).unwrap_err();
    ops::clear(&fs, &(), &paths(), &key(), 0).unwrap();
    assert_eq!(found(&fs), Some(1));
    // A retried save writes the same entry again.
    ops::save(&fs, &(), &paths(), &key(), &entry(1)).unwrap();
    for content in ["{", "{\"version\": 2}", "{\"version\": 1, \"key\": {\"client\": \"x\"}}"] {
        let fs = saved();
        fs.scribble(paths().entry(), content.as_bytes());
        let error = ops::save(&fs, &(), &paths(), &key(), &entry(9)).unwrap_err();
        assert!(error.to_string().contains("folder/a.json") && error.to_string().contains("nothing was changed"));
        ops::clear(&fs, &(), &paths(), &key(), u64::MAX - 1).unwrap_err();
        assert_eq!(*fs.read(paths().entry()).unwrap(), content.as_bytes());
    }
}
