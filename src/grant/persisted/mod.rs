//! A grant whose token is kept in a store: it outlives the process, and several processes share it.
//!
//! | file | content |
//! | --- | --- |
//! | `persisted_grant` | the public type and its options |
//! | `obtain` | the steps of a refresh: load, lock, load again, send the token request, save |
//! | `locked_refresh` | the steps with the lock: the token request, and what its result changes |
//! | `refresh_plan` | the decisions: whether to send a token request, and which logins a rejected refresh token ends |
//! | `refresh_input` | the state of the cell when a refresh starts, and which token to refresh |
//! | `coordinator` | the lock, newer tokens of other processes, and logouts |
//! | `session` | the state for each token cell that uses the grant |
//! | `save_task`, `watch_task` | saves a token, also in the background; offers tokens of other processes to the cell |
//! | `fallback_token` | the token to use if the store has none |
//! | `version`, `logouts` | the order of stored tokens; the order of logouts and refreshes |
//! | `stored_entry`, `store_content`, `store_errors` | the calls of the store with timeouts; what they have found; the report of their errors |

mod coordinator;
mod fallback_token;
mod locked_refresh;
mod logouts;
mod obtain;
mod persisted_grant;
mod refresh_input;
mod refresh_plan;
mod save_task;
mod session;
mod store_content;
mod store_errors;
mod stored_entry;
mod version;
mod watch_task;

pub use self::persisted_grant::Persisted;
