//! Defines the options of the layer, as methods of [`OAuth2Layer`](crate::OAuth2Layer).
//!
//! | file | content |
//! | --- | --- |
//! | `challenge_options` | what happens if an API demands a token, or another one |
//! | `timing_options` | timing and limits, which all clones of a layer share |
//! | `destination_options` | where the token may be sent |

mod challenge_options;
mod destination_options;
mod timing_options;
