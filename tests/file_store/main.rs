//! The store of files, as several processes and several starts of one see it.
//!
//! The other processes are this very program, started again for one of the tests `child::…`.
#![cfg(all(test, feature = "file-store"))]

#[cfg(unix)]
mod child;
mod clearing;
mod files;
#[cfg(unix)]
mod killed;
#[cfg(unix)]
mod locks;
mod persisted;
mod problems;
mod support;
