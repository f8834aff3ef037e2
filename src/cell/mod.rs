//! The token cell: the shared token, and at most one refresh at a time.
//!
//! ```text
//!             obtained                    time passes                       time passes
//!  Empty ──────────────▶ Fresh ──────────────────────────▶ Due ───────────────────────────▶ Stale
//!    ▲  │                  ▲                                │ still sent, while one           │ callers wait
//!    │  │ fails            │ obtained                       │ refresh task runs               │ for the cell to change
//!    │  └──▶ Failed ───────┤ ◀──────────────────────────────┴─────────────────────────────────┤
//!    │          ▲          │                                                                  │ fails
//!    │          └──────────┼──────────────────────────────────────────────────────────────────┘
//!    └── forget            └── invalidated, or rejected by an API: see `state`
//! ```
//!
//! A token is *stale* when its expiry minus the clock skew has passed: it is no longer sent. It is *expired* after its real expiry.
//! A token is *accepted* by the first successful response. Each token of a cell has a number, its *generation*. Each `set` or
//! `forget` of the application starts a new *epoch*, in which refreshes and errors of earlier epochs have no effect.
//!
//! | file | content |
//! | --- | --- |
//! | `timing`, `rejection_backoff` | when a token is due or stale, the back-off, and when a rejected token is refreshed |
//! | `cached` | a token with its deadlines, or an error that is cached for the back-off |
//! | `state`, `inputs`, `attempt`, `decisions` | the transitions, their inputs and their results: pure, with time and jitter as arguments |
//! | `waiters`, `refresh_task`, `watchdog` | the waiters, the refresh task that they share, and the cancellation of one that makes no progress |
//! | `fast_path`, `fresh_flag`, `fresh_tick`, `ticker`, `current_tick` | whether a token is fresh, without a lock and without reading the clocks |
//! | `token_cell`, `registry`, `transports` | the shared state behind a lock; how a response finds it; the transports of the services |
//! | `snapshot` | the token for readers without the lock |
//! | `refresh`, `reentrancy` | the start and the end of a refresh, and the call of the grant |
//! | `acquire`, `wait_future`, `max_wait` | how a caller gets a token, an error, or a future, and the time limit of that future |
//! | `responses` | responses that accept or reject the token |
//! | `challenges`, `challenge_series` | challenges that demand another token, and when they start a refresh |
//! | `first_token` | requests without a token, and responses that demand the first one |
//! | `bound_tokens` | tokens that are bound to a key |
//! | `tokens`, `keep_fresh` | the public handle, its `flush` and its `keep_fresh` |

mod acquire;
mod attempt;
mod bound_tokens;
mod cached;
mod challenge_series;
mod challenges;
#[cfg(feature = "tenants")]
mod current_tick;
mod decisions;
mod fast_path;
mod first_token;
mod fresh_flag;
#[cfg(feature = "tenants")]
mod fresh_tick;
mod inputs;
mod keep_fresh;
mod max_wait;
mod reentrancy;
mod refresh;
mod refresh_task;
mod registry;
mod rejection_backoff;
mod responses;
mod snapshot;
mod state;
mod ticker;
mod timing;
mod token_cell;
mod tokens;
mod transports;
mod wait_future;
mod waiters;
mod watchdog;

#[cfg(all(test, tower_oauth2_loom))]
pub(crate) mod loom_models;

pub(crate) use self::acquire::Acquire;
pub(crate) use self::bound_tokens::ProofCount;
pub(crate) use self::cached::{CachedError, CachedToken, Freshness};
pub(crate) use self::fast_path::CachedHeader;
pub(crate) use self::fresh_flag::FreshFlag;
pub(crate) use self::max_wait::BoundedWait;
#[cfg(feature = "tenants")]
pub(crate) use self::reentrancy::is_in_grant;
pub(crate) use self::timing::Timing;
pub(crate) use self::token_cell::{Options, TokenCell, find_cell};
pub use self::tokens::Tokens;
pub(crate) use self::transports::ServiceTransport;
#[cfg(feature = "tenants")]
pub(crate) use self::transports::Transports;
pub(crate) use self::wait_future::Waited;
