//! What the cell does, told to those who run the program: as spans and events (feature `tracing`), and as numbers
//! (feature `metrics`).
//!
//! The cell has one [`Observer`], and tells it an [`Event`] at a few places: none of them is on the way of a request with a
//! fresh token. Behind it is the code of others, a subscriber or a recorder of the program's, so it is told nothing while a
//! lock of the cell is held, and a panic of theirs is theirs.
//!
//! | file | what it is |
//! | --- | --- |
//! | `event` | what is worth telling, and why a flight is made |
//! | `observer` | who tells: the cell's observer |
//! | `logbook`, `waiting` | what is told of one flight, and of one who waits |
//! | `spans`, `events` | told to those who listen with `tracing` |
//! | `meters` | told to those who count with `metrics` |
//! | `words` | the words for both |
//! | `nobody`, `no_spans` | in place of all this, or of the spans, where features are off: nothing |

mod event;
#[cfg(feature = "tracing")]
mod events;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod logbook;
#[cfg(feature = "metrics")]
mod meters;
#[cfg(not(any(feature = "metrics", feature = "tracing")))]
mod nobody;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod observer;
#[cfg(feature = "tracing")]
mod spans;
#[cfg(all(feature = "metrics", not(feature = "tracing")))]
#[path = "no_spans.rs"]
mod spans;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod waiting;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod words;

pub(crate) use self::event::{Cause, Event, Landing, Verdict};
#[cfg(not(any(feature = "metrics", feature = "tracing")))]
pub(crate) use self::nobody::{CallLog, Logbook, Observer, Origin, Waiting};
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub(crate) use self::{
    logbook::{CallLog, Logbook},
    observer::{Observer, Origin},
    waiting::Waiting,
};
