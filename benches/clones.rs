//! The hot path with a clone of the service per request.
//!
//! This module belongs to the benches and not to `support`: there it would share a codegen unit with the other cases, and
//! change what the compiler inlines in them.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use tower::{Layer, Service, service_fn};
use tower_http::auth::AddAuthorizationLayer;
use tower_oauth2_benches::call_style::CallStyle;
use tower_oauth2_benches::cases::{LAYER, LAYER_KIB, NO_LAYER, STATIC, STATIC_KIB, fresh, token};
use tower_oauth2_benches::{Body, Case, no_op, send};

/// The cases without a layer, with a static header, and with this layer.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for call_style in [CallStyle::Clones, CallStyle::ClonesOfUnpolled] {
        let inner = || service_fn(no_op::<Infallible>);
        let header = |length| AddAuthorizationLayer::bearer(&token(length)).layer(inner());
        cases.extend([
            cloned(NO_LAYER, call_style, inner()),
            cloned(STATIC, call_style, header(64)),
            cloned(STATIC_KIB, call_style, header(1024)),
            cloned(LAYER, call_style, fresh(token(64)).layer(inner())),
            cloned(LAYER_KIB, call_style, fresh(token(1024)).layer(inner())),
        ]);
    }
    cases
}

fn cloned<S>(name: &str, call_style: CallStyle, mut base: S) -> Case
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
{
    if call_style == CallStyle::Clones {
        send(&mut base);
    }
    Case::cloned(name, call_style, Arc::new(base))
}
