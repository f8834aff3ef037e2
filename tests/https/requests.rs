//! Sends requests, and prints errors.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tower::{BoxError, ServiceExt};
use tower_oauth2::https::{self, Builder, HttpsClient};

pub(crate) type Client = HttpsClient<Full<Bytes>>;

/// Returns a builder with these proxy variables.
pub(crate) fn with(variables: &[(&str, &str)]) -> Builder {
    https::builder().proxies_from(|name| {
        let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
        Some((*value).to_owned())
    })
}

/// Returns the body of the response.
pub(crate) async fn get(client: &Client, url: impl AsRef<str>) -> Result<String, BoxError> {
    let request = Request::get(url.as_ref()).body(Full::default())?;
    let response = client.clone().oneshot(request).await?;
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.into())?)
}

/// Returns the texts of the error and its sources.
pub(crate) fn report(error: &(dyn std::error::Error + 'static)) -> String {
    let source = error.source().map(|source| format!(": {}", report(source)));
    error.to_string() + &source.unwrap_or_default()
}
