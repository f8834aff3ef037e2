//! The layer over and under the layers that people put next to it: nothing deadlocks, a failed token call kills no
//! stack, and no other origin sees the token.
//!
//! Time is paused: what waits costs nothing, and what would wait for ever is a failure.

mod balance;
mod buffer;
mod concurrency_limit;
mod conversations;
mod follow_redirect;
mod load_shed;
mod ready_cache;
mod retry;
mod support;
mod timeout;
