//! Shared parts of the targets: responses written as text, secrets that can be recognized, and virtual time.

mod form;
mod secrets;
mod server_response;
mod time;

pub use self::form::{Fields, error_code, form, is_credential, members};
pub use self::secrets::{CODE, Placeholders, REFRESH, SECRET, SECRET_PREFIX, contains, contains_secret, error_text};
pub use self::server_response::{Body, Ending, ServerResponse, sections};
pub use self::time::in_virtual_time;

use bytes::Bytes;
use http_body_util::Full;

pub type Request = http::Request<Full<Bytes>>;
pub type Response = http::Response<Body>;

pub const TOKEN_URL: &str = "https://auth.example.com/token";
pub const API_URL: &str = "https://api.example.com/things";
