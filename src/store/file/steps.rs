//! Reading, saving and clearing, step by step. A crash after any of them leaves the old entry or the new one.

use std::io::ErrorKind;
use std::path::Path;

use super::content;
use super::disk::Disk;
use super::place::Place;
use super::problem::{Problem, What, failed};
use crate::error::BoxError;
use crate::store::{Entry, Key};

pub(super) fn load(disk: &impl Disk, place: &Place, key: &Key) -> Result<Option<Entry>, Problem> {
    let path = place.entry();
    let content = match disk.read(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
        content => content.map_err(failed("read", path))?,
    };
    content::read(&content, key).map(Some).map_err(|what| what.at(path))
}

/// With the lock for changes.
pub(super) fn save(disk: &impl Disk, place: &Place, key: &Key, entry: &Entry) -> Result<(), BoxError> {
    // What cannot be read is not replaced: somebody may still make sense of it.
    if let Some(stored) = load(disk, place, key)?
        && stored.generation > entry.generation
    {
        return Err(What::Outdated(stored.generation, entry.generation).at(place.entry()).into());
    }
    let content = content::write(key, entry)?;
    remove_leftovers(disk, place);
    let aside = place.aside()?;
    let written = write_aside(disk, &aside, &content)
        .and_then(|()| disk.rename(&aside, place.entry()).map_err(failed("replace", place.entry())));
    if let Err(problem) = written {
        // Should that fail too, the next save removes it.
        let _ = disk.remove(&aside);
        return Err(problem.into());
    }
    sync_folder(disk, place)?;
    Ok(())
}

/// The content has to be on the disk before the name is: the other way round a power cut leaves an empty file.
fn write_aside(disk: &impl Disk, aside: &Path, content: &[u8]) -> Result<(), Problem> {
    let mut file = disk.create(aside).map_err(failed("create", aside))?;
    disk.write(&mut file, content).map_err(failed("write", aside))?;
    disk.sync(&file).map_err(failed("sync", aside))
}

/// With the lock for changes: between the look and the removal nobody saves.
pub(super) fn clear(disk: &impl Disk, place: &Place, key: &Key, generation: u64) -> Result<(), Problem> {
    if let Some(stored) = load(disk, place, key)? {
        if stored.generation > generation {
            return Ok(());
        }
        disk.remove(place.entry()).map_err(failed("remove", place.entry()))?;
    }
    // They hold tokens too.
    remove_leftovers(disk, place);
    sync_folder(disk, place)
}

/// Of writers who were killed: none is at work now, for we have the lock. What cannot be removed is no reason not to save.
fn remove_leftovers(disk: &impl Disk, place: &Place) {
    let folder = place.folder();
    for name in disk.names(&folder).unwrap_or_default() {
        if place.is_leftover(&name) {
            let _ = disk.remove(&folder.join(name));
        }
    }
}

fn sync_folder(disk: &impl Disk, place: &Place) -> Result<(), Problem> {
    let folder = place.folder();
    disk.sync_folder(&folder).map_err(failed("sync", &folder))
}
