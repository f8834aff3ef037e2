//! `google-cloud-auth`: a task in the background that begins at once. The account of a user, for it can be pointed at an
//! endpoint of ours.

use google_cloud_auth::credentials::user_account::Builder;
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use http::{Extensions, HeaderMap, header::AUTHORIZATION};
use serde_json::json;

use super::{answer, ready, text};
use crate::sources::{Kind, Source};
use crate::{Case, request};

/// Renewed four minutes before its end, whatever its lifetime.
pub(super) const SOURCE: Kind = Kind { name: "`google-cloud-auth`", build: source, ahead: 240, herd: true };

fn credentials(url: &str) -> Credentials {
    let account =
        json!({"type": "authorized_user", "client_id": "id", "client_secret": "secret", "refresh_token": "r"});
    Builder::new(account).with_token_uri(url).build().expect("all is there")
}

async fn headers(credentials: &Credentials) -> Result<HeaderMap, String> {
    match credentials.headers(Extensions::new()).await.map_err(text)? {
        CacheableResource::New { data, .. } => Ok(data),
        CacheableResource::NotModified => unreachable!("nothing was kept"),
    }
}

/// Both of its ways: the headers anew for each request, and kept by the caller as long as the tag says so.
pub(super) async fn hot_path(url: &str) -> [Case; 2] {
    let credentials = credentials(url);
    headers(&credentials).await.expect("the server answers");
    let fresh = {
        let credentials = credentials.clone();
        ready(SOURCE.name, move |mut request| {
            let credentials = credentials.clone();
            async move {
                request.headers_mut().extend(headers(&credentials).await.expect("they are there"));
                answer(request).await
            }
        })
    };
    let CacheableResource::New { entity_tag, data } = credentials.headers(Extensions::new()).await.expect("again")
    else {
        unreachable!("nothing was kept");
    };
    let kept = data[AUTHORIZATION].clone();
    let kept = ready("`google-cloud-auth`, header kept by its tag", move |mut request| {
        let (credentials, kept) = (credentials.clone(), kept.clone());
        let mut extensions = Extensions::new();
        extensions.insert(entity_tag.clone());
        async move {
            match credentials.headers(extensions).await.expect("they are there") {
                CacheableResource::NotModified => request.headers_mut().insert(AUTHORIZATION, kept),
                CacheableResource::New { .. } => unreachable!("it lives for an hour"),
            };
            answer(request).await
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
            answer(request).await;
            Ok(())
        }
    })
}
