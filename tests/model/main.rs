//! The token cell against a model: random sequences of all that may happen, run against the layer and against a naive
//! reference, with an authorization server that takes a refresh token that comes twice for theft.
//!
//! Time stands still until a step moves it, so a sequence of days takes milliseconds. The sequences are the same each time, but
//! with `PROPTEST_CASES`: that many, drawn anew.

mod answers;
mod asks;
mod calls;
mod clocks;
mod draw;
mod held;
mod inner;
mod layers;
mod reference;
mod rest;
mod run;
mod seen;
mod sequences;
mod series;
mod served;
mod server;
mod steps;
mod tasks;
mod time;
mod world;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn config() -> ProptestConfig {
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default,
        None => ProptestConfig { cases: 1000, rng_seed: RngSeed::Fixed(1), ..default },
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_layer_does_as_the_reference_says(setting in draw::settings(), steps in draw::sequences()) {
        run::run(setting, &steps).map(drop).map_err(TestCaseError::fail)?;
    }
}
