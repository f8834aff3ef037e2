//! Decides which responses reject the token.

use http::{HeaderMap, HeaderName, Response, StatusCode};

use crate::challenge::{Challenge, Challenges};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Checks quickly whether the response may be a rejection. If it returns `false`, the response is none.
///
/// It calls no function with the address of the response, because the compiler would then copy the response to memory. Iterating over
/// about ten headers costs as much as one lookup.
#[inline(always)]
pub(crate) fn maybe_rejected<R>(response: &Response<R>) -> bool {
    response.status() == StatusCode::UNAUTHORIZED || response.headers().keys().any(|name| *name == GRPC_STATUS)
}

/// Returns whether the response to a request that carried the token rejects the token.
///
/// A 401 rejects it, unless the response clearly names only other schemes. With `error="invalid_token"` it does even then. A trailers-only
/// gRPC response with the status `UNAUTHENTICATED` rejects it. A 403 does not, because the token is valid but not sufficient.
///
/// `scheme` is the scheme that the token was sent with. It is treated like `Bearer` and `DPoP`.
pub(crate) fn is_rejection(status: StatusCode, headers: &HeaderMap, scheme: &str) -> bool {
    (status == StatusCode::UNAUTHORIZED && !names_other_schemes_only(&Challenges::read(headers), scheme))
        || headers.get(GRPC_STATUS).is_some_and(|status| status == "16")
}

/// What a 401 says about the proof that was sent, and not about the token (RFC 9449 §7.1, §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProofDemand {
    /// `use_dpop_nonce`: the proof has to contain the nonce of the server.
    Nonce,
    /// `invalid_dpop_proof`, or several such errors. Neither a newer token nor a repeated request would help.
    AnotherProof,
}

/// Returns what a response to a request with a proof says about the proof; `None` if it is not about the proof.
///
/// Challenges of other schemes beside it do not count (RFC 9449 §7.2).
pub(crate) fn proof_demand(status: StatusCode, headers: &HeaderMap) -> Option<ProofDemand> {
    if status != StatusCode::UNAUTHORIZED {
        return None;
    }
    let challenges = Challenge::parse(headers);
    let about_proof = challenges.iter().filter(|challenge| challenge.scheme().eq_ignore_ascii_case("dpop"));
    let errors: Vec<_> = about_proof.map(Challenge::error).collect();
    match errors[..] {
        [] => None,
        [Some("use_dpop_nonce")] => Some(ProofDemand::Nonce),
        _ => {
            let is_about_proof = |error: &Option<&str>| matches!(error, Some("use_dpop_nonce" | "invalid_dpop_proof"));
            errors.iter().all(is_about_proof).then_some(ProofDemand::AnotherProof)
        }
    }
}

/// Returns whether the server clearly requires other schemes, so that a new token would not help.
///
/// For an expired token, servers have sent no header, an empty one, a malformed one, or a challenge with a proprietary scheme. So only a
/// well-formed header without `invalid_token` is clear.
fn names_other_schemes_only(challenges: &Challenges, scheme: &str) -> bool {
    challenges.is_well_formed
        && !challenges.list.is_empty()
        && !challenges.list.iter().any(|challenge| is_about_token(challenge, scheme))
}

fn is_about_token(challenge: &Challenge, scheme: &str) -> bool {
    let is_scheme = |other: &str| challenge.scheme().eq_ignore_ascii_case(other);
    is_scheme("bearer") || is_scheme("dpop") || is_scheme(scheme) || challenge.error() == Some("invalid_token")
}

/// Returns the challenge about the token, for the grant that obtains the next token.
pub(crate) fn challenge_of(headers: &HeaderMap, scheme: &str) -> Option<Challenge> {
    Challenge::parse(headers).into_iter().find(|challenge| is_about_token(challenge, scheme))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::WWW_AUTHENTICATE;
    use proptest::prelude::*;

    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn response(status: StatusCode, headers: HeaderMap) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    #[test]
    fn a_401_is_a_rejection_unless_it_clearly_names_only_other_schemes() {
        for (values, rejected) in [
            (&[][..], true),
            (&[""], true),
            (&["Bearer"], true),
            (&["Basic realm=x", "BEARER"], true),
            (&["Basic realm=x, DPoP algs=\"ES256\""], true),
            (&["Bearer error=\"insufficient_scope\""], true),
            (&["Basic realm=\"open"], true),
            (&["Basic realm=\"x\" charset=y"], true),
            (&["nonsense {"], true),
            (&["Basic realm=\"zugang für alle\""], true),
            (&["OAuth \"Platform\" \"invalid_token\" \"expired\""], true),
            (&["OAuth realm=\"x\", error='invalid_token'"], true),
            (&["OAuth realm=\"x\", Error=\"invalid_token\""], true),
            (&["OAuth realm=x, error=invalid_token"], true),
            (&["Basic realm=x", "Custom error=\"invalid_token\""], true),
            (&["OAuth realm=\"x\", error='expired'"], false),
            (&["OAuth realm=\"error=invalid_token\""], false),
            (&["Basic realm=x"], false),
            (&["Basic realm=x", "Negotiate"], false),
            (&["Negotiate, Digest realm=\"x\", nonce=\"y\""], false),
            (&["Negotiate YWJj=="], false),
            (&["Basic realm=\"a, Bearer b\""], false),
        ] {
            let headers = headers(WWW_AUTHENTICATE, values);
            assert_eq!(is_rejection(StatusCode::UNAUTHORIZED, &headers, "Bearer"), rejected, "{values:?}");
            // The challenge of another status says nothing about the token as a whole.
            for status in [200, 400, 403, 407, 500] {
                assert!(
                    !is_rejection(StatusCode::from_u16(status).unwrap(), &headers, "Bearer"),
                    "{status} {values:?}"
                );
            }
        }
    }

    #[test]
    fn a_scheme_of_the_layers_own_is_not_another() {
        let headers = headers(WWW_AUTHENTICATE, &["Token realm=x"]);
        for (scheme, rejected) in [("token", true), ("Bearer", false)] {
            assert_eq!(is_rejection(StatusCode::UNAUTHORIZED, &headers, scheme), rejected, "{scheme}");
            assert_eq!(challenge_of(&headers, scheme).is_some(), rejected, "{scheme}");
        }
    }

    #[test]
    fn more_challenges_than_are_read_are_not_clear() {
        let many = vec!["Basic realm=x"; 1000];
        assert!(!is_rejection(StatusCode::UNAUTHORIZED, &headers(WWW_AUTHENTICATE, &many[..10]), "Bearer"));
        assert!(is_rejection(StatusCode::UNAUTHORIZED, &headers(WWW_AUTHENTICATE, &many), "Bearer"));
    }

    #[test]
    fn a_403_is_not_a_rejection() {
        for challenge in ["Bearer error=\"insufficient_scope\", scope=\"write\"", "Bearer error=\"invalid_token\"", ""]
        {
            assert!(
                !is_rejection(StatusCode::FORBIDDEN, &headers(WWW_AUTHENTICATE, &[challenge]), "Bearer"),
                "{challenge}"
            );
        }
    }

    #[test]
    fn grpc_unauthenticated_is_a_rejection() {
        for (code, rejected) in [("16", true), ("0", false), ("7", false), ("160", false), ("", false)] {
            let headers = headers(GRPC_STATUS, &[code]);
            assert_eq!(is_rejection(StatusCode::OK, &headers, "Bearer"), rejected, "{code}");
            assert!(maybe_rejected(&response(StatusCode::OK, headers)), "{code}");
        }
        assert!(!maybe_rejected(&response(StatusCode::FORBIDDEN, headers(WWW_AUTHENTICATE, &["Bearer"]))));
    }

    proptest! {
        #[test]
        fn the_fast_check_misses_no_rejection(status in 100_u16..600, grpc in prop::option::of("1?[0-9]"), challenge in "\\PC*") {
            let mut headers = headers(WWW_AUTHENTICATE, &[&challenge]);
            if let Some(grpc) = grpc {
                headers.insert(GRPC_STATUS, grpc.parse().unwrap());
            }
            let status = StatusCode::from_u16(status).unwrap();
            if is_rejection(status, &headers, "Bearer") {
                prop_assert!(maybe_rejected(&response(status, headers)));
            }
        }
    }
}
