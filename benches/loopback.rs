//! Measures whole exchanges over loopback, with the layer and with the same header set by hand. The latter is measured twice:
//! the difference between the two is noise.

use std::time::Instant;

use http::{HeaderValue, Request, header::AUTHORIZATION};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tokio::runtime::{self, Runtime};
use tower::{Layer, Service, ServiceExt};
use tower_oauth2_benches::table::{Table, one_decimal, three_decimals};
use tower_oauth2_benches::tenants::{Tenant, fresh, keys};
use tower_oauth2_benches::timing::median;
use tower_oauth2_benches::token_server::serve;
use tower_oauth2_benches::{Body, cases};

type Http = Client<HttpConnector, Body>;
type Exchange = Box<dyn FnMut(&Runtime)>;

const ROUNDS: usize = 400;
const REQUESTS: usize = 40;

fn main() {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let address = serve(|request| async move {
        assert!(request.headers().contains_key(AUTHORIZATION));
        http::Response::new(Body::from("hello"))
    });
    let url = format!("http://{address}/");
    let mut rows = Vec::new();
    for (protocol, only_http2) in [("HTTP/1.1", false), ("HTTP/2", true)] {
        let http = || Client::builder(TokioExecutor::new()).http2_only(only_http2).build_http::<Body>();
        let keys = keys(1000);
        let mut variants: [(&str, Exchange); 4] = [
            ("header by hand", manual(http(), url.clone())),
            ("header by hand, again", manual(http(), url.clone())),
            ("**tower-oauth2**", through(cases::fresh(cases::token(64)).layer(http()), url.clone())),
            (
                "**tower-oauth2**, one of many tenants",
                through(with_key(keys[0].clone(), fresh(&keys).layer(http())), url.clone()),
            ),
        ];
        rows.extend(
            measure(&runtime, &mut variants)
                .into_iter()
                .map(|(variant, values)| (format!("{protocol}, {variant}"), values)),
        );
    }
    Table { rows }.publish("loopback", "one exchange", &[("µs", one_decimal), ("× by hand", three_decimals)]);
}

fn measure(runtime: &Runtime, variants: &mut [(&str, Exchange)]) -> Vec<(String, Vec<f64>)> {
    let mut times = vec![Vec::new(); variants.len()];
    for (_, exchange) in &mut *variants {
        (0..REQUESTS).for_each(|_| exchange(runtime));
    }
    for round in 0..ROUNDS {
        for turn in 0..variants.len() {
            let variant = (round + turn) % variants.len();
            let start = Instant::now();
            (0..REQUESTS).for_each(|_| variants[variant].1(runtime));
            times[variant].push(start.elapsed().as_secs_f64() * 1e6 / REQUESTS as f64);
        }
    }
    let row = |((name, _), times_of_variant): (&(&str, Exchange), &Vec<f64>)| {
        let ratios = times_of_variant.iter().zip(&times[0]).map(|(time, reference)| time / reference).collect();
        ((*name).to_owned(), vec![median(times_of_variant.clone()), median(ratios)])
    };
    variants.iter().zip(&times).map(row).collect()
}

fn manual(http: Http, url: String) -> Exchange {
    let mut header = HeaderValue::from_str(&format!("Bearer {}", cases::token(64))).expect("a token is ASCII");
    header.set_sensitive(true);
    through(
        http.map_request(move |mut request: Request<Body>| {
            request.headers_mut().insert(AUTHORIZATION, header.clone());
            request
        }),
        url,
    )
}

/// Inserts the key of a tenant into each request.
fn with_key<S>(key: Tenant, service: S) -> impl Service<Request<Body>, Response = S::Response, Error = S::Error>
where
    S: Service<Request<Body>>,
{
    service.map_request(move |mut request: Request<Body>| {
        request.extensions_mut().insert(key.clone());
        request
    })
}

fn through<S, R>(mut service: S, url: String) -> Exchange
where
    S: Service<Request<Body>, Response = http::Response<R>> + 'static,
    S::Error: std::fmt::Debug,
    R: hyper::body::Body,
    R::Error: std::fmt::Debug,
{
    Box::new(move |runtime| {
        runtime.block_on(async {
            let request = Request::get(&url).body(Body::default()).expect("a URL");
            let response = service.ready().await.expect("the client is ready").call(request).await.expect("a response");
            response.into_body().collect().await.expect("a body");
        })
    })
}
