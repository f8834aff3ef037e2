//! Clients of oidc-provider as tenants of one layer.

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use tower::{BoxError, Layer};
use tower_oauth2::grant::{ClientCredentials, TokenExchange, token_type};
use tower_oauth2::tenants::{Subject, Tenants, TenantsLayer};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, client::Client};

use crate::oidc_provider::{ExclusiveServer, server};
use crate::plain::{self, Http, get, send};

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Tenant {
    Basic,
    Post,
    /// Its id and its secret have reserved characters.
    Special,
    /// Its tokens are valid for two seconds.
    Short,
    /// Its secret is wrong.
    Wrong,
}

const VALID: [Tenant; 4] = [Tenant::Basic, Tenant::Post, Tenant::Special, Tenant::Short];

impl Tenant {
    fn id(self) -> &'static str {
        match self {
            Self::Basic | Self::Wrong => "cc-basic",
            Self::Post => "cc-post",
            Self::Special => "cc:special&id",
            Self::Short => "cc-basic-short",
        }
    }

    fn client(self) -> Client {
        match self {
            Self::Basic => Client::basic(self.id(), "cc-basic-secret"),
            Self::Post => Client::post(self.id(), "cc-post-secret"),
            Self::Special => Client::basic(self.id(), r#"a b+c:d%e&f=g/h?"\~"#),
            Self::Short => Client::basic(self.id(), "cc-basic-short-secret"),
            Self::Wrong => Client::basic(self.id(), "hunter2"),
        }
    }

    fn scope(self) -> &'static str {
        if self == Self::Post { "api:read api:write" } else { "api:read" }
    }
}

type Service<K> = Tenants<Http, K>;

/// Sends a request of a key.
async fn call<K>(service: &Service<K>, key: K, url: &str) -> Result<(StatusCode, Value), BoxError>
where
    K: std::hash::Hash + Eq + Clone + Send + Sync + 'static,
{
    let mut request = get(url);
    request.extensions_mut().insert(key);
    send(service.clone(), request).await
}

fn ours(error: BoxError) -> Error {
    *error.downcast().unwrap()
}

/// Returns a layer whose tenants have these origins. Other origins are denied to the tenant `Post`.
fn tenants(
    server: &ExclusiveServer,
    origin: impl Fn(Tenant) -> String + Send + Sync + 'static,
) -> TenantsLayer<Tenant> {
    let token_url = server.get("TOKEN").to_owned();
    TenantsLayer::new(move |tenant: &Tenant| {
        let grant = ClientCredentials::new(&*token_url, tenant.client())?.scope(tenant.scope())?;
        let layer = OAuth2Layer::new(grant).origin(origin(*tenant))?;
        Ok(if *tenant == Tenant::Post { layer.deny_other_origins() } else { layer })
    })
}

#[tokio::test]
async fn each_tenant_has_its_own_token_and_its_own_failure() {
    let Some(server) = server().await else { return };
    let (api, issuer) = (server.get("API").to_owned(), server.get("ISSUER").to_owned());
    let layer = tenants(&server, move |_| issuer.clone());
    let service = layer.layer(plain::client());

    let requests = (0..40).map(|number| {
        let (tenant, service, api) = (VALID[number % VALID.len()], &service, &api);
        async move { (tenant, call(service, tenant, api).await) }
    });
    let wrong = async { ours(call(&service, Tenant::Wrong, &api).await.unwrap_err()) };
    let (responses, error) = tokio::join!(join_all(requests), wrong);
    for (tenant, response) in responses {
        let (status, echo) = response.unwrap();
        assert_eq!((status, &echo["client_id"]), (StatusCode::OK, &tenant.id().into()));
        assert_eq!(echo["scope"], tenant.scope());
    }
    // This tenant has the id of another one, and neither its token nor an effect on it.
    assert_eq!(error.kind(), ErrorKind::ClientRejected);
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    server.expect_stats(json!({"client_credentials": 4}), json!({"200": 40})).await;

    layer.forget(&Tenant::Special);
    for tenant in VALID.into_iter().filter(|tenant| *tenant != Tenant::Short) {
        assert_eq!(call(&service, tenant, &api).await.unwrap().1["client_id"], tenant.id());
    }
    server.expect_stats(json!({"client_credentials": 5}), json!({"200": 43})).await;
}

#[tokio::test]
async fn the_token_of_a_tenant_is_not_sent_to_the_origin_of_another() {
    let Some(server) = server().await else { return };
    // The same server by another name is another origin.
    let (api, issuer) = (server.get("API").to_owned(), server.get("ISSUER").to_owned());
    let renamed = |url: &str| url.replace("127.0.0.1", "localhost");
    let (other_api, other_origin) = (renamed(&api), renamed(&issuer));
    let layer =
        tenants(&server, move |tenant| if tenant == Tenant::Basic { other_origin.clone() } else { issuer.clone() });
    let service = layer.layer(plain::client());

    assert_eq!(call(&service, Tenant::Basic, &other_api).await.unwrap().1["client_id"], "cc-basic");
    assert_eq!(call(&service, Tenant::Short, &api).await.unwrap().1["client_id"], "cc-basic-short");
    assert_eq!(call(&service, Tenant::Post, &api).await.unwrap().1["client_id"], "cc-post");

    assert_eq!(call(&service, Tenant::Basic, &api).await.unwrap().0, StatusCode::UNAUTHORIZED);
    assert_eq!(call(&service, Tenant::Short, &other_api).await.unwrap().0, StatusCode::UNAUTHORIZED);
    let error = ours(call(&service, Tenant::Post, &other_api).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::OriginDenied);
    server.expect_stats(json!({"client_credentials": 3}), json!({"200": 3, "401": 2})).await;
}

#[tokio::test]
async fn a_new_token_of_the_same_caller_is_exchanged_again() {
    let Some(server) = server().await else { return };
    let (api, token_url) = (server.get("API"), server.get("TOKEN").to_owned());
    let callers = tenants(&server, {
        let issuer = server.get("ISSUER").to_owned();
        move |_| issuer.clone()
    });
    let _callers = callers.clone().token_service(plain::client());
    let gateway = TenantsLayer::new(move |caller: &Subject| {
        let client = Client::basic("exchange", "exchange-secret");
        TokenExchange::new(&*token_url, client, token_type::ACCESS_TOKEN, caller.clone())
    });
    let service = gateway.layer(plain::client());
    let exchanged = |subject: &str| gateway.tokens(&Subject::new(subject)).unwrap().peek().unwrap();

    let handle = callers.tokens(&Tenant::Basic).unwrap();
    let first = handle.get().await.unwrap();
    let second = handle.refresh().await.unwrap();
    let other = callers.tokens(&Tenant::Post).unwrap().get().await.unwrap();
    let subjects = [first.access_token(), second.access_token(), other.access_token()];
    for subject in subjects.into_iter().chain(subjects) {
        let (status, echo) = call(&service, Subject::new(subject), api).await.unwrap();
        assert_eq!((status, &echo["client_id"]), (StatusCode::OK, &"exchange".into()));
    }
    let tokens = subjects.map(exchanged);
    assert_ne!(tokens[0], tokens[1]);
    assert_ne!(tokens[0], tokens[2]);
    assert_eq!(gateway.len(), 3);
    server
        .expect_stats(
            json!({"client_credentials": 3, "urn:ietf:params:oauth:grant-type:token-exchange": 3}),
            json!({"200": 6}),
        )
        .await;

    // A subject that the server rejects is an error of that caller.
    let error = ours(call(&service, Subject::new("hunter2"), api).await.unwrap_err());
    assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::RequestRejected, "invalid_request"));
    assert!(!format!("{error} {error:?} {gateway:?}").contains("hunter2"));
    assert_eq!(call(&service, Subject::new(subjects[0]), api).await.unwrap().0, StatusCode::OK);
}
