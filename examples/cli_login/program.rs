//! The commands of the program.

use std::path::PathBuf;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, retry::RetryLayer};
use tower_oauth2::{
    OAuth2Layer, Token,
    client::Client,
    endpoint::RevocationEndpoint,
    grant::{DeviceCode, DevicePrompt, Persisted},
    retry::RetryUnauthorized,
    store::FileStore,
    transport::Transport,
};

use super::{
    site::Site,
    support::{Choice, Person, check, is_attended},
};

pub(crate) struct Program {
    login: Persisted<DeviceCode, FileStore>,
    revocation: RevocationEndpoint,
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    api: String,
}

impl Program {
    /// Starts the program, with nothing in memory, as each command does.
    pub(crate) fn start(site: &Site, dir: PathBuf) -> Result<Self, BoxError> {
        let client = Client::public("app");
        let login = DeviceCode::new(&*site.device_authorization_url, &*site.token_url, client.clone(), prompt)?
            .scope("orders")?
            .persisted(FileStore::new(dir))
            .on_store_error(|error| eprintln!("{error}: {}", causes(error)));
        Ok(Self {
            login,
            revocation: RevocationEndpoint::new(&*site.revocation_url, client)?,
            http: legacy::Client::builder(TokioExecutor::new()).build_http(),
            api: site.api.clone(),
        })
    }

    /// Logs the user in, unless there is a login.
    pub(crate) async fn login(&self) -> Result<(), BoxError> {
        if self.token().await?.is_some() {
            println!("You are already logged in.");
            return Ok(());
        }
        let layer = OAuth2Layer::new(self.login.clone()).token_service(self.http.clone());
        layer.tokens().get().await?;
        layer.tokens().flush().await;
        println!("You are logged in.");
        Ok(())
    }

    pub(crate) async fn status(&self) -> Result<(), BoxError> {
        match self.token().await? {
            Some(token) => println!("Logged in, for: {}.", token.scope().unwrap_or("everything")),
            None => println!("Not logged in."),
        }
        Ok(())
    }

    /// Sends a request to the API. The program sends only one request, so a rejected request is sent again with a new token.
    pub(crate) async fn call(&self) -> Result<(), BoxError> {
        // Otherwise the layer would start a login, which is not useful for a program in a pipe.
        self.token().await?.ok_or("not logged in: run `login` first")?;
        let layer = OAuth2Layer::new(self.login.clone()).origin(&*self.api)?;
        let tokens = layer.tokens();
        let mut client = ServiceBuilder::new()
            .layer(RetryLayer::new(RetryUnauthorized::new()))
            .layer(layer)
            .service(self.http.clone());
        let request = Request::get(format!("{}/orders", self.api)).body(Full::default())?;
        let response = client.ready().await?.call(request).await;
        // A refresh may be running in the background. It would be dropped at the end of the program, and the login would be lost.
        tokens.flush().await;
        let status = response?.status();
        println!("Response of the API: {status}");
        check(status == 200, "the API accepts the token")
    }

    /// Removes the login from this machine first, so that it is removed even if the revocation fails.
    pub(crate) async fn logout(&self) -> Result<(), BoxError> {
        let token = self.token().await?;
        self.login.clear().await?;
        if let Some(token) = token {
            self.revocation.revoke(&Transport::new(self.http.clone()), &token).await?;
        }
        println!("You are logged out.");
        Ok(())
    }

    /// Returns the stored token.
    pub(crate) async fn token(&self) -> Result<Option<Token>, BoxError> {
        self.login.load().await.map_err(|error| format!("{error}: {}", causes(&error)).into())
    }
}

/// Returns the text of the sources of an error.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Prints where to log in. The feature `terminal` has a more elaborate prompt.
fn prompt(prompt: &DevicePrompt) {
    println!("Open {} and enter {}.", prompt.verification_uri(), prompt.user_code());
    if !is_attended() {
        let (uri, code) = (prompt.verification_uri().to_owned(), prompt.user_code().to_owned());
        tokio::spawn(async move {
            match Person::new().type_code(&uri, &code, Choice::Allow).await {
                Ok(page) => println!("(alice's browser shows: {})", page.message()),
                Err(error) => println!("(alice's browser fails: {error})"),
            }
        });
    }
}
