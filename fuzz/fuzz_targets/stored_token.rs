//! A stored token is an error, or is the same after it was stored again.

#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;
use tower_oauth2::Token;
use tower_oauth2_fuzz::{Placeholders, REFRESH, SECRET, contains, contains_secret, error_text};

const PLACEHOLDERS: Placeholders<'_> = Placeholders(&[("$SECRET", SECRET), ("$REFRESH", REFRESH)]);

/// The member with which a token records what it was requested with.
const RECORD: &str = "tower_oauth2";

fuzz_target!(|input: &[u8]| -> Corpus {
    if contains_secret(input) {
        return Corpus::Reject;
    }
    let stored = PLACEHOLDERS.fill(input);
    let token: Token = match serde_json::from_slice(&stored) {
        Ok(token) => token,
        Err(error) => {
            let text = error_text(&error);
            assert!(!contains(text.as_bytes(), SECRET) && !contains(text.as_bytes(), REFRESH), "{text}");
            return Corpus::Keep;
        }
    };
    let value: Value = serde_json::from_slice(&stored).expect("the token was parsed from JSON");
    matches_stored(&token, &value);
    prints_no_secret(&token, &value);
    expires_once(&token);

    // The JSON rounds the expiry down to seconds, and otherwise loses and adds nothing.
    let again = stored_again(&token);
    assert_eq!(in_whole_seconds(again.expires_at()), in_whole_seconds(token.expires_at()));
    assert_eq!((again.token_type(), again.scope()), (token.token_type(), token.scope()));
    matches_stored(&again, &value);
    assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&token).unwrap());
    assert_eq!(stored_again(&again), again);
    Corpus::Keep
});

fn stored_again(token: &Token) -> Token {
    serde_json::from_slice(&serde_json::to_vec(token).unwrap()).expect("a stored token can be parsed")
}

fn in_whole_seconds(time: Option<SystemTime>) -> Option<u64> {
    time.map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
}

fn matches_stored(token: &Token, stored: &Value) {
    let text = |name| stored.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    assert_eq!(Some(token.access_token()), text("access_token"));
    assert_eq!(token.refresh_token(), text("refresh_token"));
    assert!(token.access_token().bytes().all(|byte| byte.is_ascii_graphic()), "the token is not valid in a header");
    let is_known = ["bearer", "dpop"].iter().any(|known| token.token_type().eq_ignore_ascii_case(known));
    assert!(is_known, "{}", token.token_type());
    for (name, value) in stored.as_object().expect("the token was parsed from an object") {
        let ours = ["access_token", "token_type", "expires_in", "expires_at", "refresh_token", "scope", RECORD];
        assert_eq!(token.extra(name), (!ours.contains(&name.as_str())).then_some(value));
    }
}

/// Checks `Debug`, which prints the names of members and the scope.
fn prints_no_secret(token: &Token, stored: &Value) {
    let names = stored.as_object().into_iter().flat_map(|members| members.keys().map(String::as_str));
    let public: String = names.chain(token.scope()).collect();
    let debug = format!("{token:?} {token:#?}");
    for secret in [SECRET, REFRESH] {
        assert!(!debug.contains(secret) || public.contains(secret), "{debug}");
    }
}

/// Checks that a token that is expired with some skew is also expired with a larger skew.
fn expires_once(token: &Token) {
    let expired =
        [0, 1, 30, 3_600, u64::from(u32::MAX), u64::MAX].map(|ahead| token.is_expired(Duration::from_secs(ahead)));
    assert!(expired.is_sorted(), "{expired:?}");
    assert_eq!(token.expires_at().is_some(), expired[expired.len() - 1], "a token with an expiry expires");
}
