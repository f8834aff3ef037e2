//! DPoP proofs (RFC 9449): alone, and as part of whole requests.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Request, Response};
use tower::{Layer, Service, service_fn};
use tower_oauth2::dpop::Dpop;
use tower_oauth2::grant::{Context, Grant, grant_fn};
use tower_oauth2::jwt::{self, Key};
use tower_oauth2::{Error, OAuth2Layer, Token};

use crate::cases::{NO_LAYER, token};
use crate::signing::{Algorithm, expect_ready, signature_alone};
use crate::{Body, Case, no_op, request};

/// The cases of the requests.
pub const REQUEST: &str = "**tower-oauth2**";
pub const REQUEST_WITH_NONCE: &str = "**tower-oauth2**, the server gives a nonce";

/// Returns the proofs of an algorithm. The first case is the signature alone.
pub fn cases(algorithm: Algorithm) -> Vec<Case> {
    let (dpop, token) = (dpop(algorithm), bound_token());
    let uri = request().uri().clone();
    let prove = move || expect_ready(dpop.proof(&Method::GET, &uri, Some(&token))).expect("the key signs");
    #[allow(unused_mut, reason = "only the peer crates add more")]
    let mut cases = vec![
        signature_alone(algorithm, input(algorithm)),
        Case::repeated(algorithm.case("**tower-oauth2**"), move || drop(black_box(prove()))),
    ];
    #[cfg(feature = "peers")]
    cases.extend(crate::peers::proofs(algorithm));
    cases
}

/// Returns whole requests with proofs of ES256. The first case is the signature alone.
pub fn requests() -> Vec<Case> {
    #[allow(unused_mut, reason = "only the peer crates add more")]
    let mut cases =
        vec![signature(), Case::new(REQUEST, service()), Case::new(REQUEST_WITH_NONCE, service_with_nonce())];
    #[cfg(feature = "peers")]
    cases.extend(crate::peers::bound_requests());
    cases
}

/// Returns the requests after one without a layer, to which their allocations are compared.
pub fn requests_and_no_layer() -> Vec<Case> {
    let mut cases = requests();
    cases[0] = Case::new(NO_LAYER, service_fn(no_op::<Infallible>));
    cases.insert(2, Case::new("no layer, the server gives a nonce", service_fn(with_nonce)));
    cases
}

/// Returns the signature alone, by ES256, over as many bytes as a proof has.
pub fn signature() -> Case {
    let mut case = signature_alone(Algorithm::Es256, input(Algorithm::Es256));
    case.name = "the signature alone (`ring`)".to_owned();
    case
}

/// Returns a service whose requests carry a token that is bound to a key.
pub fn service() -> impl Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static {
    bound().layer(service_fn(no_op::<Infallible>))
}

/// Returns the same with a server that gives a nonce with each response. It is the same one, as most servers give for minutes.
pub fn service_with_nonce() -> impl Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static {
    bound().layer(service_fn(with_nonce))
}

#[inline(never)]
fn with_nonce(request: Request<Body>) -> Ready<Result<Response<Body>, Infallible>> {
    drop(black_box(request));
    ready(Ok(nonce_response()))
}

/// Returns the response of a server that demands nonces.
pub(crate) fn nonce_response() -> Response<Body> {
    let mut response = Response::new(Body::default());
    let nonce = HeaderValue::from_static("eyJ7S_zG.eyJH0-Z.HX4w-7v");
    response.headers_mut().insert(HeaderName::from_static("dpop-nonce"), nonce);
    response
}

/// A layer whose token is bound to a key in memory, and expires after an hour.
fn bound() -> OAuth2Layer<impl Grant> {
    let grant = grant_fn(async |_: Context| -> Result<Token, Error> { std::future::pending().await });
    let layer = OAuth2Layer::new(grant.dpop(dpop(Algorithm::Es256)));
    layer.tokens().set(bound_token().with_expires_in(Duration::from_secs(3600)));
    layer
}

fn bound_token() -> Token {
    Token::dpop(token(64)).expect("a token is ASCII")
}

fn dpop(algorithm: Algorithm) -> Dpop {
    let key = Key::from_pem(algorithm.pem()).expect("a private key");
    let key = match algorithm {
        Algorithm::Ps256 => key.algorithm(jwt::Algorithm::Ps256).expect("an RSA key"),
        Algorithm::Es256 | Algorithm::EdDsa | Algorithm::Rs256 => key,
    };
    Dpop::new(key)
}

/// Returns the bytes that a proof signs.
fn input(algorithm: Algorithm) -> Vec<u8> {
    let (uri, token) = (request().uri().clone(), bound_token());
    let proof = expect_ready(dpop(algorithm).proof(&Method::GET, &uri, Some(&token))).expect("the key signs");
    let proof = proof.to_str().expect("a proof is ASCII");
    let (input, _) = proof.rsplit_once('.').expect("a proof has three parts");
    input.as_bytes().to_vec()
}
