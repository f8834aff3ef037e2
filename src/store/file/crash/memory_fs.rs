//! A file system in memory that can stop, and lose changes that were not synced.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::store::file::fs::FileSystem;

/// The content of a file. Content that was not synced is lost in a power failure.
#[derive(Clone, Default)]
struct Inode {
    written: Vec<u8>,
    synced: Vec<u8>,
}

/// A file system in memory that can stop after any operation. Names that were not synced are lost in a power failure.
#[derive(Clone, Default)]
pub(super) struct MemoryFs {
    inodes: RefCell<Vec<Inode>>,
    names: RefCell<BTreeMap<PathBuf, usize>>,
    synced_names: RefCell<BTreeMap<PathBuf, usize>>,
    /// The number of operations until it stops.
    left: Cell<Option<usize>>,
    /// Whether only that one operation fails.
    recovers: bool,
    /// Whether the entry is a mount point.
    pub(super) mounted: Cell<bool>,
    note: RefCell<Vec<u8>>,
    synced_note: RefCell<Vec<u8>>,
    /// How often the directory was listed.
    pub(super) lists: Cell<usize>,
}

impl MemoryFs {
    /// Returns a copy that stops after this number of operations.
    pub(super) fn stopping(&self, steps: usize, recovers: bool) -> Self {
        Self { left: Cell::new(Some(steps)), recovers, ..self.clone() }
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.names.borrow().keys().cloned().collect()
    }

    /// Overwrites a file, as another program would.
    pub(super) fn scribble(&self, path: &Path, content: &[u8]) {
        let inode = self.names.borrow()[path];
        self.inodes.borrow_mut()[inode].written = content.into();
    }

    fn step(&self) -> io::Result<()> {
        match self.left.get() {
            Some(0) if self.recovers => self.left.set(None),
            Some(0) => {}
            Some(left) => {
                self.left.set(Some(left - 1));
                return Ok(());
            }
            None => return Ok(()),
        }
        Err(ErrorKind::StorageFull.into())
    }

    fn is_busy(&self, path: &Path) -> io::Result<()> {
        let is_mount = self.mounted.get() && path.extension().is_some_and(|extension| extension == "json");
        if is_mount { Err(ErrorKind::ResourceBusy.into()) } else { Ok(()) }
    }

    /// Returns the state after the process was killed.
    pub(super) fn restarted(&self) -> Self {
        Self { left: Cell::new(None), ..self.clone() }
    }

    /// Returns a possible state after a power failure, with or without the names and contents that were not synced.
    pub(super) fn after_a_power_failure(&self, keep_names: bool, keep_contents: bool) -> Self {
        let model = self.restarted();
        if !keep_names {
            *model.names.borrow_mut() = model.synced_names.borrow().clone();
        }
        if !keep_contents {
            model.inodes.borrow_mut().iter_mut().for_each(|inode| inode.written.clone_from(&inode.synced));
            model.note.replace(model.synced_note.borrow().clone());
        }
        model
    }
}

impl FileSystem for MemoryFs {
    type File = usize;
    type Lock = ();

    fn read(&self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
        let names = self.names.borrow();
        let inode = names.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(self.inodes.borrow()[*inode].written.clone().into())
    }

    fn names(&self, _folder: &Path) -> io::Result<Vec<OsString>> {
        self.lists.set(self.lists.get() + 1);
        Ok(self.names.borrow().keys().map(|path| path.file_name().unwrap().to_owned()).collect())
    }

    fn create(&self, path: &Path) -> io::Result<usize> {
        self.step()?;
        self.inodes.borrow_mut().push(Inode::default());
        let inode = self.inodes.borrow().len() - 1;
        assert_eq!(self.names.borrow_mut().insert(path.to_owned(), inode), None, "no file is overwritten");
        Ok(inode)
    }

    fn truncate(&self, path: &Path) -> io::Result<usize> {
        self.step()?;
        let inode = *self.names.borrow().get(path).ok_or(ErrorKind::NotFound)?;
        self.inodes.borrow_mut()[inode].written.clear();
        Ok(inode)
    }

    /// Writes in two operations, so that it can stop in the middle.
    fn write(&self, file: &mut usize, content: &[u8]) -> io::Result<()> {
        for half in [&content[..content.len() / 2], &content[content.len() / 2..]] {
            self.step()?;
            self.inodes.borrow_mut()[*file].written.extend_from_slice(half);
        }
        Ok(())
    }

    fn sync(&self, file: &usize) -> io::Result<()> {
        self.step()?;
        let inode = &mut self.inodes.borrow_mut()[*file];
        inode.synced.clone_from(&inode.written);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        self.is_busy(to)?;
        let inode = self.names.borrow_mut().remove(from).ok_or(ErrorKind::NotFound)?;
        self.names.borrow_mut().insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.is_busy(path)?;
        self.names.borrow_mut().remove(path).map(drop).ok_or(ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _folder: &Path) -> io::Result<()> {
        self.step()?;
        self.synced_names.borrow_mut().clone_from(&self.names.borrow());
        Ok(())
    }

    fn note(&self, _lock: &()) -> io::Result<Vec<u8>> {
        Ok(self.note.borrow().clone())
    }

    fn set_note(&self, _lock: &(), note: &[u8]) -> io::Result<()> {
        self.step()?;
        self.note.replace(note.into());
        Ok(())
    }

    fn sync_note(&self, _lock: &()) -> io::Result<()> {
        self.step()?;
        self.synced_note.replace(self.note.borrow().clone());
        Ok(())
    }
}
