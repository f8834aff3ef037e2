//! A disk in memory, that can stop, and lose what was not synced.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::store::file::disk::Disk;

/// What a name stands for. What was written and not synced is lost in a power cut.
#[derive(Clone, Default)]
struct Inode {
    written: Vec<u8>,
    synced: Vec<u8>,
}

/// A disk in memory, that can stop. Files are known by number; names, until the folder is synced, only by hearsay.
#[derive(Clone, Default)]
pub(super) struct Model {
    inodes: RefCell<Vec<Inode>>,
    names: RefCell<BTreeMap<PathBuf, usize>>,
    synced_names: RefCell<BTreeMap<PathBuf, usize>>,
    /// The step at which it stops, counted down.
    left: Cell<Option<usize>>,
    /// Whether it goes on after that step: a refusal, and not the end.
    recovers: bool,
}

impl Model {
    /// The same disk, to stop after so many steps.
    pub(super) fn stopping(&self, steps: usize, recovers: bool) -> Self {
        Self { left: Cell::new(Some(steps)), recovers, ..self.clone() }
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.names.borrow().keys().cloned().collect()
    }

    /// Somebody else writes there.
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

    /// As the process that comes after a kill finds it.
    pub(super) fn restarted(&self) -> Self {
        Self { left: Cell::new(None), ..self.clone() }
    }

    /// As it may be found after a power cut: of the names and of the contents, each time what was synced or what was not.
    pub(super) fn after_a_power_cut(&self, keep_names: bool, keep_contents: bool) -> Self {
        let model = self.restarted();
        if !keep_names {
            *model.names.borrow_mut() = model.synced_names.borrow().clone();
        }
        if !keep_contents {
            model.inodes.borrow_mut().iter_mut().for_each(|inode| inode.written.clone_from(&inode.synced));
        }
        model
    }
}

impl Disk for Model {
    type File = usize;

    fn read(&self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
        let names = self.names.borrow();
        let inode = names.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(self.inodes.borrow()[*inode].written.clone().into())
    }

    fn names(&self, _folder: &Path) -> io::Result<Vec<OsString>> {
        Ok(self.names.borrow().keys().map(|path| path.file_name().unwrap().to_owned()).collect())
    }

    fn create(&self, path: &Path) -> io::Result<usize> {
        self.step()?;
        self.inodes.borrow_mut().push(Inode::default());
        let inode = self.inodes.borrow().len() - 1;
        assert_eq!(self.names.borrow_mut().insert(path.to_owned(), inode), None, "nothing is written over");
        Ok(inode)
    }

    /// In two steps: it may stop in the middle.
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
        let inode = self.names.borrow_mut().remove(from).ok_or(ErrorKind::NotFound)?;
        self.names.borrow_mut().insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.names.borrow_mut().remove(path).map(drop).ok_or(ErrorKind::NotFound.into())
    }

    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        self.step()?;
        self.synced_names.borrow_mut().clone_from(&self.names.borrow());
        Ok(())
    }
}
