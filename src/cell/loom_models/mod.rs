//! Models of the cell, checked by `loom` over every interleaving that its bounds allow.
//!
//! `RUSTFLAGS="--cfg tower_oauth2_loom" cargo test --release --lib loom`
//!
//! Loom schedules the operations of [`crate::sync`]. A call of `ArcSwapOption` or `OnceLock` is one step of a model. The models have no
//! runtime: waiters poll the work, unless a thread of the model polls the `RuntimeTask`.

mod challenging;
mod changes;
mod dropping;
mod flagging;
mod flush;
mod herd;
mod rejecting;
mod stalling;
pub(crate) mod support;
mod tasks;
