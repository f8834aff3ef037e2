//! The file store, used by several processes and by several runs of one process.
//!
//! The other processes run this test program, started again for one of the tests `child::…`.
#![cfg(all(test, feature = "file-store"))]

#[cfg(unix)]
mod child;
mod clearing;
mod files;
#[cfg(unix)]
mod killed;
#[cfg(unix)]
mod links;
#[cfg(unix)]
mod locks;
mod persisted;
mod problems;
mod readable;
mod support;
#[cfg(target_os = "linux")]
mod unusual;
