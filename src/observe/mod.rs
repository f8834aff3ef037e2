//! Records what the token cell does, for operators: as spans and events (feature `tracing`) and as metrics (feature `metrics`).
//!
//! Each cell has one [`Observer`], which records an [`Event`] at a few places. A request with a fresh token records nothing.
//! Subscribers and recorders are code of the program. They are therefore never called with a lock of the cell held, and their
//! panics are caught.
//!
//! | file | content |
//! | --- | --- |
//! | `event`, `event_data` | the events, and their data |
//! | `observer`, `cell_names` | the observer of one cell, and the names of the cell |
//! | `recorder`, `record`, `caller_span`, `wait_guard` | the events of one refresh, and of one caller that waits |
//! | `tracing`, `span` | the output for `tracing` |
//! | `metrics` | the output for `metrics` |
//! | `labels` | the values of labels and fields in both |
//! | `noop`, `noop_span` | the replacements if both features are disabled, or `tracing` alone |

#[cfg(any(feature = "metrics", feature = "tracing"))]
mod caller_span;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod cell_names;
mod event;
mod event_data;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod labels;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(not(any(feature = "metrics", feature = "tracing")))]
mod noop;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod observer;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod record;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod recorder;
#[cfg(feature = "tracing")]
mod span;
#[cfg(all(feature = "metrics", not(feature = "tracing")))]
#[path = "noop_span.rs"]
mod span;
#[cfg(feature = "tracing")]
mod tracing;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod wait_guard;

pub(crate) use self::event::Event;
pub(crate) use self::event_data::{FinishedRefresh, RefreshCause, RejectionEffect};
#[cfg(not(any(feature = "metrics", feature = "tracing")))]
pub(crate) use self::noop::{CallerSpan, Observer, RefreshRecorder, WaitGuard, WeakRecorder};
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub(crate) use self::{
    caller_span::CallerSpan,
    observer::Observer,
    recorder::{RefreshRecorder, WeakRecorder},
    wait_guard::WaitGuard,
};
