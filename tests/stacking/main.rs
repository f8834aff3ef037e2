//! Stacks the layer with other layers, outside and inside: nothing deadlocks, a failed token request breaks no stack, and no
//! other origin receives the token.
//!
//! Time is paused: waiting takes no time, and a wait without end fails the test.

mod balance;
mod buffer;
mod concurrency_limit;
mod follow_redirect;
mod load_shed;
mod ready_cache;
mod retry;
mod retry_unauthorized;
mod scenarios;
mod support;
mod timeout;
