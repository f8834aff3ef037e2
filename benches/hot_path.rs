//! Measures the hot path with divan, which offers filters, samples and threads.
//!
//! ```text
//! cargo bench --manifest-path benches/Cargo.toml --no-default-features --bench hot_path
//! ```

use std::convert::Infallible;

use divan::Bencher;
use tower::{Layer, service_fn};
use tower_http::auth::AddAuthorizationLayer;
use tower_oauth2_benches::{cases, no_op, send};

const THREADS: [usize; 4] = [1, 2, 4, 8];

fn main() {
    divan::main();
}

#[divan::bench(threads = THREADS)]
fn no_layer(bencher: Bencher<'_, '_>) {
    bencher.bench(|| send(&mut service_fn(no_op::<Infallible>)));
}

#[divan::bench(threads = THREADS, args = [64, 1024])]
fn static_header(bencher: Bencher<'_, '_>, length: usize) {
    let service = AddAuthorizationLayer::bearer(&cases::token(length)).layer(service_fn(no_op::<Infallible>));
    bencher.bench(|| send(&mut service.clone()));
}

#[divan::bench(threads = THREADS, args = [64, 1024])]
fn fresh_token(bencher: Bencher<'_, '_>, length: usize) {
    let service = cases::fresh(cases::token(length)).layer(service_fn(no_op::<Infallible>));
    bencher.bench(|| send(&mut service.clone()));
}

#[divan::bench(threads = THREADS)]
fn bound_to_an_origin(bencher: Bencher<'_, '_>) {
    let layer = cases::fresh(cases::token(64)).origin("https://api.example.com").unwrap();
    let service = layer.layer(service_fn(no_op::<Infallible>));
    bencher.bench(|| send(&mut service.clone()));
}
