//! One token for each key: `TenantsLayer`.

mod keys;
mod support;
