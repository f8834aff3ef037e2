//! Any stored token is refused, or is the same after it was stored again.

#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;
use tower_oauth2::Token;
use tower_oauth2_fuzz::{REFRESH, SECRET, Words, gives_away, holds, told};

const WORDS: Words<'_> = Words(&[("$SECRET", SECRET), ("$REFRESH", REFRESH)]);

fuzz_target!(|input: &[u8]| -> Corpus {
    if gives_away(input) {
        return Corpus::Reject;
    }
    let stored = WORDS.fill(input);
    let token: Token = match serde_json::from_slice(&stored) {
        Ok(token) => token,
        Err(error) => {
            let told = told(&error);
            assert!(!holds(told.as_bytes(), SECRET) && !holds(told.as_bytes(), REFRESH), "{told}");
            return Corpus::Keep;
        }
    };
    let value: Value = serde_json::from_slice(&stored).expect("a token out of no JSON");
    is_what_was_stored(&token, &value);
    prints_no_secret(&token, &value);
    expires_once(&token);

    // The store has whole seconds; but for that, nothing is lost or added.
    let again = stored_again(&token);
    assert_eq!(in_whole_seconds(again.expires_at()), in_whole_seconds(token.expires_at()));
    assert_eq!((again.token_type(), again.scope()), (token.token_type(), token.scope()));
    is_what_was_stored(&again, &value);
    assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&token).unwrap());
    assert_eq!(stored_again(&again), again);
    Corpus::Keep
});

fn stored_again(token: &Token) -> Token {
    serde_json::from_slice(&serde_json::to_vec(token).unwrap()).expect("what was stored is read")
}

fn in_whole_seconds(time: Option<SystemTime>) -> Option<u64> {
    time.map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
}

fn is_what_was_stored(token: &Token, stored: &Value) {
    let text = |name| stored.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    assert_eq!(Some(token.access_token()), text("access_token"));
    assert_eq!(token.refresh_token(), text("refresh_token"));
    assert!(token.access_token().bytes().all(|byte| byte.is_ascii_graphic()), "no header can carry it");
    assert!(token.token_type().eq_ignore_ascii_case("bearer"));
    for (name, value) in stored.as_object().expect("a token out of no object") {
        let ours = ["access_token", "token_type", "expires_in", "expires_at", "refresh_token", "scope"];
        assert_eq!(token.extra(name), (!ours.contains(&name.as_str())).then_some(value));
    }
}

/// Names of members and the scope are public.
fn prints_no_secret(token: &Token, stored: &Value) {
    let names = stored.as_object().into_iter().flat_map(|members| members.keys().map(String::as_str));
    let public: String = names.chain(token.scope()).collect();
    let debug = format!("{token:?} {token:#?}");
    for secret in [SECRET, REFRESH] {
        assert!(!debug.contains(secret) || public.contains(secret), "{debug}");
    }
}

/// A longer look ahead never finds a token good that a shorter one finds expired.
fn expires_once(token: &Token) {
    let looks =
        [0, 1, 30, 3_600, u64::from(u32::MAX), u64::MAX].map(|ahead| token.is_expired(Duration::from_secs(ahead)));
    assert!(looks.is_sorted(), "{looks:?}");
    assert_eq!(token.expires_at().is_some(), looks[looks.len() - 1], "what has an end is over at some time");
}
