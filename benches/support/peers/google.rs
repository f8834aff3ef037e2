//! `google-cloud-auth`: a background task that starts at once. The bench uses a user account, because its token endpoint can
//! be configured.

use google_cloud_auth::credentials::user_account::Builder;
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use http::{Extensions, HeaderMap, header::AUTHORIZATION};
use serde_json::json;
use tower::BoxError;

use super::{boxed, ready, respond};
use crate::sources::{Kind, Source};
use crate::{Case, request};

/// Refreshes a token four minutes before its expiry, independent of its lifetime.
pub(super) const SOURCE: Kind = Kind { name: "`google-cloud-auth`", build: source, ahead: 240, herd: true };

fn credentials(url: &str) -> Credentials {
    let account =
        json!({"type": "authorized_user", "client_id": "id", "client_secret": "secret", "refresh_token": "r"});
    Builder::new(account).with_token_uri(url).build().expect("all parameters are set")
}

async fn headers(credentials: &Credentials) -> Result<HeaderMap, BoxError> {
    match credentials.headers(Extensions::new()).await.map_err(boxed)? {
        CacheableResource::New { data, .. } => Ok(data),
        CacheableResource::NotModified => unreachable!("nothing was kept"),
    }
}

/// Both of its usages: new headers for each request, and headers that the caller caches as long as the tag matches.
pub(super) async fn hot_path(url: &str) -> [Case; 2] {
    let credentials = credentials(url);
    headers(&credentials).await.expect("the server responds");
    let fresh = {
        let credentials = credentials.clone();
        ready(SOURCE.name, move |mut request| {
            let credentials = credentials.clone();
            async move {
                request.headers_mut().extend(headers(&credentials).await.expect("the headers are cached"));
                respond(request).await
            }
        })
    };
    let CacheableResource::New { entity_tag, data } =
        credentials.headers(Extensions::new()).await.expect("the same headers again")
    else {
        unreachable!("nothing was kept");
    };
    let kept = data[AUTHORIZATION].clone();
    let kept = ready("`google-cloud-auth`, header cached by its tag", move |mut request| {
        let (credentials, kept) = (credentials.clone(), kept.clone());
        let mut extensions = Extensions::new();
        extensions.insert(entity_tag.clone());
        async move {
            match credentials.headers(extensions).await.expect("the headers are cached") {
                CacheableResource::NotModified => request.headers_mut().insert(AUTHORIZATION, kept),
                CacheableResource::New { .. } => unreachable!("the token is valid for an hour"),
            };
            respond(request).await
        }
    });
    [fresh, kept]
}

fn source(url: &str) -> Source {
    let credentials = credentials(url);
    Source::new(move || {
        let (credentials, mut request) = (credentials.clone(), request());
        async move {
            request.headers_mut().extend(headers(&credentials).await?);
            respond(request).await;
            Ok(())
        }
    })
}
