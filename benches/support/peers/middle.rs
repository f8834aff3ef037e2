//! `middle`: a background task and a prepared header. It gets its first token when it is built, before any request.

use std::sync::Arc;
use std::time::Duration;
use tower::BoxError;

use ::middle::{Authorizer, BasicClientCredentialAuthorizer};
use http::header::AUTHORIZATION;
use tokio::sync::OnceCell;

use super::{boxed, ready, respond};
use crate::sources::{Kind, Source};
use crate::{Case, request};

pub(super) const SOURCE: Kind = Kind { name: "`middle`", build: source, ahead: 0, herd: false };

async fn authorizer(url: String) -> Result<BasicClientCredentialAuthorizer, BoxError> {
    BasicClientCredentialAuthorizer::basic_builder("id", "secret", url.parse().map_err(boxed)?)
        .refresh_tolerance(Duration::from_secs(1))
        .build()
        .await
        .map_err(boxed)
}

pub(super) async fn hot_path(url: &str) -> Case {
    let authorizer = authorizer(url.to_owned()).await.expect("the server responds");
    ready(SOURCE.name, move |mut request| {
        let header = authorizer.authorization_header().expect("it is there");
        request.headers_mut().insert(AUTHORIZATION, (*header).clone());
        respond(request)
    })
}

fn source(url: &str) -> Source {
    let (built, url) = (Arc::new(OnceCell::new()), url.to_owned());
    Source::new(move || {
        let (built, url, mut request) = (built.clone(), url.clone(), request());
        async move {
            let header = built.get_or_try_init(|| authorizer(url)).await?.authorization_header().map_err(boxed)?;
            request.headers_mut().insert(AUTHORIZATION, (*header).clone());
            respond(request).await;
            Ok(())
        }
    })
}
