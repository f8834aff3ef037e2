//! Cases for one request after idle time, when what a layer caches for the next request may be stale.
//!
//! This module belongs to the benches for the same reason as `clones`.

use std::convert::Infallible;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tower::{Layer, service_fn};
use tower_http::auth::AddAuthorizationLayer;

use tower_oauth2_benches::call_style::CallStyle;
use tower_oauth2_benches::cases::{LAYER, LAYER_KIB, NO_LAYER, STATIC, STATIC_KIB, fresh, token};
use tower_oauth2_benches::{Case, no_op};

const IDLE_TIME: Duration = Duration::from_millis(160);

/// A runtime whose thread drives timers, as in a server. Cases are built and run inside of it.
pub fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// The cases. Each has sent requests before.
pub fn cases() -> Vec<Case> {
    let inner = || service_fn(no_op::<Infallible>);
    let header = |length| AddAuthorizationLayer::bearer(&token(length)).layer(inner());
    let mut cases = vec![
        Case::new(NO_LAYER, inner()),
        Case::new(STATIC, header(64)),
        Case::new(STATIC_KIB, header(1024)),
        Case::new(LAYER, fresh(token(64)).layer(inner())),
        Case::new(LAYER_KIB, fresh(token(1024)).layer(inner())),
        Case::cloned(NO_LAYER, CallStyle::ClonesOfUnpolled, Arc::new(inner())),
        Case::cloned(STATIC, CallStyle::ClonesOfUnpolled, Arc::new(header(64))),
        Case::cloned(LAYER, CallStyle::ClonesOfUnpolled, Arc::new(fresh(token(64)).layer(inner()))),
    ];
    for case in &mut cases {
        (case.run)(1000);
    }
    cases
}

/// Waits for [`IDLE_TIME`].
pub fn wait() {
    thread::sleep(IDLE_TIME);
}
