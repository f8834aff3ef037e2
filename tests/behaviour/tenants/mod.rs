//! One token for each key: `TenantsLayer`.

mod bound;
mod cells_of_requests;
mod churn;
mod creation;
mod destinations;
mod destructors;
mod extremes;
mod flushing;
mod forgetting;
mod forgotten_logins;
mod freshness;
#[cfg(feature = "tonic")]
mod grpc_calls;
mod handles;
mod keys;
mod large_bound;
mod mistakes;
mod nested;
mod reconfigured;
mod repeating;
mod secrecy;
mod separation;
mod sharing;
mod slow_tenant;
mod subjects;
mod support;
mod tenant_options;
mod transports;
