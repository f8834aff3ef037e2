//! The program itself: what each command does.

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
    support::{Choice, Person, check, somebody_is_there},
};

pub(crate) struct Program {
    login: Persisted<DeviceCode, FileStore>,
    revocation: RevocationEndpoint,
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    api: String,
}

impl Program {
    /// As every command starts: with nothing in memory.
    pub(crate) fn start(site: &Site, folder: PathBuf) -> Result<Self, BoxError> {
        let client = Client::public("app");
        let login = DeviceCode::new(&*site.device_authorization_url, &*site.token_url, client.clone(), prompt)?
            .scope("orders")?
            .persisted(FileStore::new(folder))
            .on_store_error(|error| eprintln!("{error}: {}", causes(error)));
        Ok(Self {
            login,
            revocation: RevocationEndpoint::new(&*site.revocation_url, client)?,
            http: legacy::Client::builder(TokioExecutor::new()).build_http(),
            api: site.api.clone(),
        })
    }

    /// Has the person log in, unless they are.
    pub(crate) async fn login(&self) -> Result<(), BoxError> {
        if self.token().await?.is_some() {
            println!("You are logged in already.");
            return Ok(());
        }
        let layer = OAuth2Layer::new(self.login.clone()).token_service(self.http.clone());
        layer.tokens().get().await?;
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

    /// Calls the API. A program that sends one request has no next one to send with a new token, so the same is sent again.
    pub(crate) async fn call(&self) -> Result<(), BoxError> {
        // Else the layer would ask the person to log in: that is right for some programs, and not for one in a pipe.
        self.token().await?.ok_or("not logged in: say `login` first")?;
        let mut client = ServiceBuilder::new()
            .layer(RetryLayer::new(RetryUnauthorized::new()))
            .layer(OAuth2Layer::new(self.login.clone()).origin(&*self.api)?)
            .service(self.http.clone());
        let request = Request::get(format!("{}/orders", self.api)).body(Full::default())?;
        let status = client.ready().await?.call(request).await?.status();
        println!("The API says: {status}");
        check(status == 200, "the API accepts the token")
    }

    /// Here first: whatever the server says, the person is logged out on this machine.
    pub(crate) async fn logout(&self) -> Result<(), BoxError> {
        let token = self.token().await?;
        self.login.clear().await?;
        if let Some(token) = token {
            self.revocation.revoke(&Transport::new(self.http.clone()), &token).await?;
        }
        println!("You are logged out.");
        Ok(())
    }

    /// What is in the file.
    pub(crate) async fn token(&self) -> Result<Option<Token>, BoxError> {
        self.login.load().await.map_err(|error| format!("{error}: {}", causes(&error)).into())
    }
}

/// An error says one thing, and its causes the rest.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The feature `terminal` has a finer one.
fn prompt(prompt: &DevicePrompt) {
    println!("Open {} and enter {}.", prompt.verification_uri(), prompt.user_code());
    if !somebody_is_there() {
        let (uri, code) = (prompt.verification_uri().to_owned(), prompt.user_code().to_owned());
        tokio::spawn(async move {
            match Person::new().type_code(&uri, &code, Choice::Allow).await {
                Ok(page) => println!("(alice's browser says: {})", page.message()),
                Err(error) => println!("(alice's browser fails: {error})"),
            }
        });
    }
}
