//! One token for each key: `TenantsLayer`.

mod bound;
mod creation;
mod destructors;
mod keys;
mod reconfigured;
mod separation;
mod support;
