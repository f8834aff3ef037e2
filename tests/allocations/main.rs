//! With a fresh token, a request allocates no more than with a static header (`AddAuthorization` of `tower_http`). A compressed response
//! does not exhaust the memory.

#[cfg(feature = "tenants")]
mod tenants;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_http::auth::AddAuthorizationLayer;
use tower_oauth2::grant::grant_fn;
use tower_oauth2::{OAuth2Layer, Token};

type Body = Full<Bytes>;

fn no_op(request: Request<Body>) -> Ready<Result<Response<Body>, Infallible>> {
    drop(request);
    ready(Ok(Response::new(Body::default())))
}

/// Returns the allocations of `poll_ready`, `call` and the response of one request, without those of the request itself.
fn allocations<S: Service<Request<Body>>>(service: &mut S) -> u64 {
    allocations_of(Request::get("https://api.example.com/").body(Body::default()).unwrap(), service)
}

fn allocations_of<S: Service<Request<Body>>>(request: Request<Body>, service: &mut S) -> u64 {
    let (mut cx, mut request) = (Context::from_waker(Waker::noop()), Some(request));
    let counted = measure(|| {
        assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
        if let Some(request) = request.take() {
            let response = std::pin::pin!(service.call(request));
            assert!(matches!(response.poll(&mut cx), Poll::Ready(Ok(_))));
        }
    });
    counted.count_total
}

#[test]
fn a_request_with_a_fresh_token_allocates_no_more_than_one_with_a_static_header() {
    let static_header = {
        let mut service = AddAuthorizationLayer::bearer("2YotnFZFEjr1zCsicMWpAA").layer(service_fn(no_op));
        (0..100).map(|_| allocations(&mut service)).max()
    };
    assert!(static_header > Some(0), "the header map of a request is allocated, so the counter must not be zero");

    let layers = [|layer: OAuth2Layer<_>| Ok(layer), |layer: OAuth2Layer<_>| layer.origin("https://api.example.com")];
    for configure in layers {
        let layer = OAuth2Layer::new(grant_fn(async |_| Token::bearer("unused")));
        let layer = configure(layer).unwrap();
        // The first request registers its transport and observes its response. The second one starts the ticker of the process.
        let mut service = layer.layer(service_fn(no_op));
        let token = Token::bearer("2YotnFZFEjr1zCsicMWpAA").unwrap();
        service.tokens().set(token.with_expires_in(Duration::from_secs(3600)));
        for _ in 0..2 {
            allocations(&mut service);
        }
        assert!((0..100).map(|_| allocations(&mut service)).max() <= static_header);
        // Through a clone, as clients are often used: it clones the inner service, and increments two reference counts.
        assert!((0..100).map(|_| allocations(&mut service.clone())).max() <= static_header);
    }
}

/// At a low rate of requests, each request reads the clocks.
#[test]
fn at_a_low_rate_a_request_allocates_no_more_either() {
    let static_header = {
        let mut service = AddAuthorizationLayer::bearer("2YotnFZFEjr1zCsicMWpAA").layer(service_fn(no_op));
        allocations(&mut service)
    };
    let grant = || grant_fn(async |_| Token::bearer("unused"));
    let layers = [OAuth2Layer::new(grant()).boxed(), OAuth2Layer::new(grant()).boxed().reject_when(|_, _| false)];
    let mut services = layers.map(|layer| {
        let service = layer.layer(service_fn(no_op));
        let token = Token::bearer("2YotnFZFEjr1zCsicMWpAA").unwrap();
        service.tokens().set(token.with_expires_in(Duration::from_secs(3600)));
        service
    });
    for round in 0..6 {
        for service in &mut services {
            let found = allocations(service);
            // The first request registers its transport, and observes its response.
            assert!(round == 0 || found <= static_header, "{found} in round {round}");
            let found = allocations(&mut service.clone());
            assert!(round == 0 || found <= static_header, "{found} of a clone in round {round}");
        }
        // Longer than the flag of the fast path stays set.
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// Shortly before a token expires, each request reads the clocks.
#[test]
fn a_token_that_expires_soon_causes_no_allocation() {
    let static_header = {
        let mut service = AddAuthorizationLayer::bearer("2YotnFZFEjr1zCsicMWpAA").layer(service_fn(no_op));
        allocations(&mut service)
    };
    let layer = OAuth2Layer::new(grant_fn(async |_| Token::bearer("unused")));
    let mut service = layer.refresh_ahead(Duration::ZERO).clock_skew(Duration::ZERO).layer(service_fn(no_op));
    // Within the interval in which the flag of the fast path is not set.
    let end = std::time::Instant::now() + Duration::from_millis(150);
    service.tokens().set(Token::bearer("b").unwrap().with_expires_in(Duration::from_millis(250)));
    allocations(&mut service);
    let mut counted = 0;
    while std::time::Instant::now() < end && counted < 100 {
        assert!(allocations(&mut service) <= static_header);
        counted += 1;
    }
}

/// What a proof needs beyond the value of its header: its address, and what is kept until the response. The goal is 3.
#[cfg(feature = "jwt")]
#[test]
fn a_request_with_a_proof_has_two_allocations_beyond_its_header_values() {
    use tower_oauth2::dpop::Dpop;
    use tower_oauth2::jwt::Key;

    fn with_nonce(request: Request<Body>) -> Ready<Result<Response<Body>, Infallible>> {
        drop(request);
        let response = Response::builder().header("dpop-nonce", "eyJ7S_zG.eyJH0-Z.HX4w-7v");
        ready(Ok(response.body(Body::default()).unwrap()))
    }
    for api in [no_op, with_nonce] {
        let static_header = {
            let mut service = AddAuthorizationLayer::bearer("2YotnFZFEjr1zCsicMWpAA").layer(service_fn(api));
            allocations(&mut service)
        };
        let grant = grant_fn(async |_| Token::dpop("unused")).dpop(Dpop::new(Key::generate().unwrap()));
        let mut service = OAuth2Layer::new(grant).layer(service_fn(api));
        let token = Token::dpop("2YotnFZFEjr1zCsicMWpAA").unwrap();
        service.tokens().set(token.with_expires_in(Duration::from_secs(3600)));
        // The first request registers its transport, and keeps the first nonce.
        for _ in 0..2 {
            allocations(&mut service);
        }
        let value = 1;
        assert_eq!((0..100).map(|_| allocations(&mut service)).max(), Some(static_header + value + 2));
        assert_eq!((0..100).map(|_| allocations(&mut service.clone())).max(), Some(static_header + value + 2));
    }
}

/// The window of brotli is 16 MiB. The buffer of the zstd window doubles as it grows.
#[cfg(feature = "decompression")]
#[tokio::test]
async fn a_compressed_response_takes_no_more_memory_than_the_windows_of_the_decoders() {
    use std::io::Write as _;

    use tower_oauth2::client::Client;
    use tower_oauth2::grant::{ClientCredentials, Context, Grant as _};
    use tower_oauth2::transport::Transport;

    const MAX: u64 = 32 * 1024 * 1024;
    let gzip: Bytes = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        (0..64).for_each(|_| encoder.write_all(&[0; 1024 * 1024]).unwrap());
        encoder.finish().unwrap().into()
    };
    // 50 MB of zeros, from the reference encoder.
    let brotli: Bytes = b"\xcb\xff\xff\x3f\xf8\x27\x00\xe2\xb1\x40\x20\xf7\xfe\x8f\xff\xff\x7f\xf0\x4f\x00\xc4\x61\x11\x80\xee\xfd\x1f\
      \xff\xff\xff\xe0\x9f\x00\x88\xc3\x02\x00\xdd\xfb\x3f\xfe\xff\xff\xc1\x3f\x01\x10\x87\x05\x00\xba\xf7\x7f\xfc\xff\xff\x83\x7f\x02\
      \x20\x0e\x0b\x00\x74\xef\xff\xf2\x0f\x5e\x0f\xff\x04\x40\x1c\x16\x00\xe8\xa0\xeb\x01"[..].into();
    // A gigabyte of zeros, with the longest window: 8 MiB.
    let zstd: Bytes = {
        let mut bomb = b"\x28\xb5\x2f\xfd\x00\x68".to_vec();
        bomb.extend((0..8192).flat_map(|block| [u8::from(block == 8191) | 2, 0, 16, 0]));
        bomb.into()
    };
    for (coding, body) in [("gzip", gzip), ("br", brotli), ("zstd", zstd)] {
        let answer = Response::builder().header("content-encoding", coding).body(Body::from(body)).unwrap();
        let http = Transport::new(service_fn(move |_: Request<Body>| ready(Ok::<_, Infallible>(answer.clone()))));
        let grant = ClientCredentials::new("https://auth.example.com/token", Client::public("id")).unwrap();
        let mut obtaining = std::pin::pin!(grant.obtain(Context::new(http)));
        let mut outcome = None;
        let counted = measure(|| {
            let mut cx = std::task::Context::from_waker(Waker::noop());
            if let Poll::Ready(obtained) = obtaining.as_mut().poll(&mut cx) {
                outcome = Some(obtained);
            }
        });
        let error = outcome.expect("the refresh is pending").unwrap_err();
        assert!(error.to_string().contains("decoded, is longer"), "{coding}: {error}");
        assert!(counted.bytes_max < MAX, "{coding}: {} bytes", counted.bytes_max);
    }
}
