//! One token for each key: `TenantsLayer`.

mod bound;
mod creation;
mod destructors;
mod keys;
mod separation;
mod support;
