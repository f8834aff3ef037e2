//! What the targets share: answers written as text, secrets that can be recognised, and a clock that nobody waits for.

mod answer;
mod form;
mod secrets;
mod time;

pub use self::answer::{Answer, Body, Ending, sections};
pub use self::form::{Fields, code, form, members};
pub use self::secrets::{CODE, REFRESH, SECRET, WORD, Words, gives_away, holds, told};
pub use self::time::in_virtual_time;

use bytes::Bytes;
use http_body_util::Full;

pub type Request = http::Request<Full<Bytes>>;
pub type Response = http::Response<Body>;

pub const TOKEN_URL: &str = "https://auth.example.com/token";
pub const API_URL: &str = "https://api.example.com/things";
