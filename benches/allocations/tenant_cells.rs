//! Measures the memory of the idle token cells of tenants, as an average, and what remains after they are dropped.

use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use tower_oauth2::Token;
use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::tenants::{IntoTenant, TenantsLayer};
use tower_oauth2_benches::cases::{no_token, token};
use tower_oauth2_benches::tenants::{Tenant, keys};

const CELLS: usize = 10_000;
const TOKEN_URL: &str = "https://auth.example.com/token";

/// Each row has the bytes and the number of allocations of one cell, including its entry in the map. The keys exist before.
pub(super) fn rows() -> Vec<(String, Vec<f64>)> {
    let keys = keys(CELLS);
    let credentials = |_: &Tenant| {
        ClientCredentials::new(TOKEN_URL, Client::basic("6779ef20e75817b79602", "GBAyfVL7YWtP6gudLIjbRZV_N0dW4f3x"))
    };
    let without = cells(&keys, false, |_: &Tenant| Ok(no_token()));
    let with = cells(&keys, true, |_: &Tenant| Ok(no_token()));
    let with_credentials = cells(&keys, true, credentials);
    let each = |name: &str, count: AllocationInfo| {
        let each = |total: i64| total as f64 / CELLS as f64;
        (name.to_owned(), vec![each(count.bytes_current), each(count.count_current)])
    };
    vec![
        each("cell of a tenant, without a token", without.0),
        each("cell of a tenant, with a token of 64 B", with.0),
        each("the same, with the client credentials of the tenant", with_credentials.0),
        each("remaining for each cell after the layer was dropped", with_credentials.1),
    ]
}

/// Creates the cells, and measures the memory of all of them, and what remains after they were dropped.
fn cells<L: IntoTenant>(
    keys: &[Tenant],
    with_token: bool,
    make: impl Fn(&Tenant) -> Result<L, tower_oauth2::Error> + Send + Sync + 'static,
) -> (AllocationInfo, AllocationInfo) {
    let layer = TenantsLayer::new(make).max_tenants(CELLS * 2).expect("the layer was not used");
    let retained = measure(|| {
        for key in keys {
            let tokens = layer.tokens(key).expect("the grant is valid");
            if with_token {
                let token = Token::bearer(token(64)).expect("a token is ASCII");
                tokens.set(token.with_expires_in(Duration::from_secs(3600)));
            }
        }
    });
    assert_eq!(layer.len(), CELLS);
    let mut remaining = measure(|| drop(layer));
    remaining += retained;
    (retained, remaining)
}
