//! A save that ends after any of its steps leaves the old entry or the new one: when the process is killed, when the disk
//! refuses, and when the power fails.

mod model;

use std::path::Path;

use self::model::Model;
use super::disk::Disk as _;
use super::place::Place;
use super::steps;
use crate::store::{Entry, Key};
use crate::token::Token;

/// More steps than a save has.
const STEPS: usize = 12;

fn place() -> Place {
    Place::new(Path::new("folder/a.json"))
}

fn key() -> Key {
    Key::new("issuer", "client")
}

fn entry(generation: u64) -> Entry {
    Entry::new(Token::bearer(format!("a{generation}")).unwrap(), generation)
}

/// A disk with generation 1 on it, as it is after a power cut.
fn saved() -> Model {
    let disk = Model::default();
    steps::save(&disk, &place(), &key(), &entry(1)).unwrap();
    disk.after_a_power_cut(false, false)
}

/// The generation that is found, with the token that belongs to it.
fn found(disk: &Model) -> Option<u64> {
    let found = steps::load(disk, &place(), &key()).unwrap();
    found.map(|found| {
        assert_eq!(found, entry(found.generation));
        found.generation
    })
}

fn only_the_entry(disk: &Model) -> bool {
    disk.paths() == [place().entry()]
}

/// Runs `work` on disks that stop after each number of steps; `check` gets what is left, and whether the work was done.
fn at_each_step(recovers: bool, work: impl Fn(&Model) -> bool, check: impl Fn(&Model, bool)) {
    let mut done = 0;
    for steps in 0..STEPS {
        let disk = saved().stopping(steps, recovers);
        let whole = work(&disk);
        done += usize::from(whole);
        check(&disk.restarted(), whole);
    }
    assert!((1..STEPS).contains(&done), "{done} of {STEPS}: not every step was met");
}

fn save(disk: &Model) -> bool {
    steps::save(disk, &place(), &key(), &entry(2)).is_ok()
}

#[test]
fn killed_after_any_step() {
    at_each_step(false, save, |disk, saved| {
        assert!(found(disk) == Some(2) || (found(disk) == Some(1) && !saved));
        // The next one goes on from there, and tidies up.
        steps::save(disk, &place(), &key(), &entry(3)).unwrap();
        assert!(found(disk) == Some(3) && only_the_entry(disk));
    });
}

#[test]
fn refused_at_any_step() {
    at_each_step(true, save, |disk, saved| {
        assert!(found(disk) == Some(2) || (found(disk) == Some(1) && !saved));
        assert!(only_the_entry(disk), "what is not used is removed at once");
    });
}

#[test]
fn the_power_fails_after_any_step() {
    for (keep_names, keep_contents) in [(false, false), (false, true), (true, false), (true, true)] {
        at_each_step(false, save, |disk, saved| {
            let found = found(&disk.after_a_power_cut(keep_names, keep_contents));
            assert!(found == Some(2) || (found == Some(1) && !saved), "{found:?}");
        });
    }
}

#[test]
fn a_clear_stopped_after_any_step() {
    let clear = |disk: &Model| steps::clear(disk, &place(), &key(), 1).is_ok();
    at_each_step(false, clear, |disk, cleared| {
        let found = found(&disk.after_a_power_cut(false, false));
        assert!(found.is_none() || (found == Some(1) && !cleared), "{found:?}");
    });
    let disk = saved().stopping(2, false);
    assert!(!save(&disk) && !only_the_entry(&disk.restarted()), "a leftover to remove");
    steps::clear(&disk.restarted(), &place(), &key(), 1).unwrap();
    let disk = disk.restarted();
    steps::clear(&disk, &place(), &key(), 1).unwrap();
    assert!(disk.paths().is_empty(), "no token is left behind");
}

#[test]
fn what_is_newer_or_not_ours_is_left_alone() {
    let disk = saved();
    steps::save(&disk, &place(), &key(), &entry(0)).unwrap_err();
    steps::clear(&disk, &place(), &key(), 0).unwrap();
    assert_eq!(found(&disk), Some(1));
    // The same again is what a save does that is tried a second time.
    steps::save(&disk, &place(), &key(), &entry(1)).unwrap();
    for content in ["", "{", "{\"version\": 2}", "{\"version\": 1, \"key\": {\"client\": \"x\"}}"] {
        let disk = saved();
        disk.scribble(place().entry(), content.as_bytes());
        let refused = steps::save(&disk, &place(), &key(), &entry(9)).unwrap_err();
        assert!(refused.to_string().contains("folder/a.json") && refused.to_string().contains("nothing was changed"));
        steps::clear(&disk, &place(), &key(), u64::MAX).unwrap_err();
        assert_eq!(*disk.read(place().entry()).unwrap(), content.as_bytes());
    }
}
