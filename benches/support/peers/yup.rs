//! `yup-oauth2`: a service account, whose key names the token endpoint.

use std::sync::{Arc, LazyLock};
use tower::BoxError;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::{Engine, prelude::BASE64_STANDARD};
use hyper_util::client::legacy::connect::HttpConnector;
use yup_oauth2::authenticator::Authenticator;
use yup_oauth2::hyper_rustls::HttpsConnector;
use yup_oauth2::{ServiceAccountAuthenticator, ServiceAccountKey};

use super::{boxed, insert, ready, respond};
use crate::sources::{Kind, Source};
use crate::{Case, request};

/// A token counts as expired one minute before its expiry.
pub(super) const SOURCE: Kind = Kind { name: "`yup-oauth2`", build: source, ahead: 60, herd: true };

const SCOPES: [&str; 1] = ["read"];

type Tokens = Authenticator<HttpsConnector<HttpConnector>>;

/// Generated at run time, so that the repository contains no key.
static KEY: LazyLock<String> = LazyLock::new(|| {
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let der: Pkcs8V1Der<'_> = pair.as_der().expect("a key");
    let kind = "PRIVATE KEY";
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", BASE64_STANDARD.encode(der.as_ref()))
});

async fn authenticator(url: String) -> Result<Arc<Tokens>, BoxError> {
    let key = ServiceAccountKey {
        key_type: Some("service_account".into()),
        project_id: None,
        private_key_id: None,
        private_key: KEY.clone(),
        client_email: "id@example.com".into(),
        client_id: None,
        auth_uri: None,
        token_uri: url,
        auth_provider_x509_cert_url: None,
        client_x509_cert_url: None,
    };
    ServiceAccountAuthenticator::builder(key).build().await.map(Arc::new).map_err(boxed)
}

async fn token(tokens: &Tokens) -> Result<String, BoxError> {
    let token = tokens.token(&SCOPES).await.map_err(boxed)?;
    Ok(token.token().ok_or("no access token")?.to_owned())
}

pub(super) async fn hot_path(url: &str) -> Case {
    let tokens = authenticator(url.to_owned()).await.expect("a key");
    token(&tokens).await.expect("the server responds");
    ready(SOURCE.name, move |mut request| {
        let tokens = tokens.clone();
        async move {
            let token = tokens.token(&SCOPES).await.expect("it is there");
            insert(request.headers_mut(), token.token().expect("an access token"));
            respond(request).await
        }
    })
}

fn source(url: &str) -> Source {
    LazyLock::force(&KEY);
    let (built, url) = (Arc::new(tokio::sync::OnceCell::new()), url.to_owned());
    Source::new(move || {
        let (built, url, mut request) = (built.clone(), url.clone(), request());
        async move {
            let tokens = built.get_or_try_init(|| authenticator(url)).await?;
            insert(request.headers_mut(), &token(tokens).await?);
            respond(request).await;
            Ok(())
        }
    })
}
