//! Shared parts of the targets: responses written as text, addresses, secrets that can be recognized, and virtual time.

mod addresses;
mod form;
mod secrets;
mod server_response;
mod time;

pub use self::addresses::{
    can_be_sent, check_address_error, is_bare, is_private, is_public_name, is_safe, issuer_addresses,
};
pub use self::form::{Fields, document_address, error_code, form, is_credential, members};
pub use self::secrets::{CODE, Placeholders, REFRESH, SECRET, SECRET_PREFIX, contains, contains_secret, error_text};
pub use self::server_response::{Body, Ending, ServerResponse, sections};
pub use self::time::in_virtual_time;

use bytes::Bytes;
use http_body_util::Full;

pub type Request = http::Request<Full<Bytes>>;
pub type Response = http::Response<Body>;

pub const TOKEN_URL: &str = "https://auth.example.com/token";
pub const API_URL: &str = "https://api.example.com/things";
