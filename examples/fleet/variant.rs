//! The variants that are compared.

use std::time::Duration;

use tower_oauth2::{Error, OAuth2Layer, grant::ClientCredentials};

type Layer = OAuth2Layer<ClientCredentials>;

pub(crate) struct Variant {
    pub(crate) name: &'static str,
    /// Sets the options of the layer.
    pub(crate) options: fn(Layer) -> Result<Layer, Error>,
    /// How long before its expiry a token is due, at the earliest and at the latest.
    pub(crate) earliest: Duration,
    pub(crate) latest: Duration,
}

pub(crate) const WITHOUT_JITTER: Variant = Variant {
    name: "ahead of expiry, without jitter",
    options: |layer| layer.refresh_ahead_jitter(0.0),
    earliest: Duration::from_secs(300),
    latest: Duration::from_secs(300),
};

pub(crate) const DEFAULTS: Variant = Variant {
    name: "ahead of expiry, with jitter: the defaults",
    options: Ok,
    earliest: Duration::from_secs(300),
    latest: Duration::from_secs(240),
};

pub(crate) const AT_EXPIRY: Variant = Variant {
    name: "at expiry",
    options: |layer| Ok(layer.refresh_ahead(Duration::ZERO)),
    // The clock skew: a token is not sent in its last seconds.
    earliest: Duration::from_secs(30),
    latest: Duration::from_secs(30),
};
