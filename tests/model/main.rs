//! Compares the token cell with a model: runs random sequences of requests, failures and interventions against the layer and against
//! a simple reference. The authorization server treats a second use of a refresh token as theft.
//!
//! Time is paused until a step advances it, so a sequence of days takes milliseconds. The sequences are the same in each run. With
//! `PROPTEST_CASES`, that number of new sequences is generated.

mod callers;
mod clocks;
mod coverage;
mod expectation;
mod inner;
mod interventions;
mod invariants;
mod layers;
mod model_token;
mod reference;
mod rejection_series;
mod rejections;
mod results;
mod run;
mod sequences;
mod server;
mod service_count;
mod steps;
mod strategies;
mod tasks;
mod time;
mod token_requests;
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
    fn the_layer_behaves_like_the_reference(setting in strategies::settings(), steps in strategies::sequences()) {
        run::run(setting, &steps).map(drop).map_err(TestCaseError::fail)?;
    }
}
