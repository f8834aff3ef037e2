//! A request that finds the token of its tenant allocates nothing for that.

use std::time::Duration;

use http::Request;
use tower::{Layer, service_fn};
use tower_http::auth::AddAuthorizationLayer;
use tower_oauth2::grant::grant_fn;
use tower_oauth2::tenants::TenantsLayer;
use tower_oauth2::{OAuth2Layer, Token};

use super::{Body, allocations, allocations_of, no_op};

#[test]
fn a_request_with_the_fresh_token_of_a_tenant_allocates_no_more_than_one_with_a_static_header() {
    const TENANTS: usize = 100;
    let static_header = {
        let mut service = AddAuthorizationLayer::bearer("2YotnFZFEjr1zCsicMWpAA").layer(service_fn(no_op));
        allocations(&mut service)
    };
    let layer = TenantsLayer::new(|_: &usize| {
        OAuth2Layer::new(grant_fn(async |_| Token::bearer("unused"))).origin("https://api.example.com")
    });
    let mut service = layer.layer(service_fn(no_op));
    for tenant in 0..TENANTS {
        let token = Token::bearer(format!("of-{tenant}")).unwrap().with_expires_in(Duration::from_secs(3600));
        layer.tokens(&tenant).unwrap().set(token);
    }
    for round in 0..5 {
        for tenant in 0..TENANTS {
            let mut request = Request::get("https://api.example.com/").body(Body::default()).unwrap();
            request.extensions_mut().insert(tenant);
            let found = allocations_of(request.clone(), &mut service);
            assert!(round == 0 || found <= static_header, "{found} in round {round}");
            let found = allocations_of(request, &mut service.clone());
            assert!(round == 0 || found <= static_header, "{found} of a clone in round {round}");
        }
    }
}
