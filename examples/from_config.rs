//! Reads the grant from a configuration file. The types of the program do not depend on the grant.
//!
//! ```text
//! cargo run --example from_config
//! ```
//!
//! `Grant::boxed` erases the type of a grant, and `OAuth2Layer::boxed` that of a layer, so that the program can choose the grant at run time
//! and name the type in a struct. The program writes several configuration files and uses each one. If a person has to log in, the name is
//! `alice` with any password. Without a terminal, or with `TOWER_OAUTH2_UNATTENDED=1`, the program logs in automatically.
//!
//! It needs no setup. The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;
use serde_json::{Value, json};
use support::{Api, AuthServer, Choice, Person, Settings, check, is_attended};
use tower::{BoxError, Layer, Service, ServiceExt};
use tower_oauth2::{
    Error, ErrorKind, OAuth2, OAuth2Layer, Token,
    client::Client,
    grant::{BoxGrant, ClientCredentials, DeviceCode, DevicePrompt, Grant, RefreshToken},
};

/// The configuration file.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", tag = "grant", deny_unknown_fields)]
enum Config {
    ClientCredentials {
        token_url: String,
        client_id: String,
        client_secret: String,
    },
    DeviceCode {
        token_url: String,
        device_authorization_url: String,
        client_id: String,
    },
    /// A login in another program, and its access token, if the program has kept it.
    RefreshToken {
        token_url: String,
        client_id: String,
        refresh_token: String,
        token: Option<Token>,
    },
}

impl Config {
    fn read(path: &Path) -> Result<Self, BoxError> {
        let text = std::fs::read_to_string(path)?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    fn grant(self) -> Result<BoxGrant, Error> {
        Ok(match self {
            Self::ClientCredentials { token_url, client_id, client_secret } => {
                ClientCredentials::new(token_url, Client::basic(client_id, client_secret))?.boxed()
            }
            Self::DeviceCode { token_url, device_authorization_url, client_id } => {
                DeviceCode::new(device_authorization_url, token_url, Client::public(client_id), prompt)?.boxed()
            }
            Self::RefreshToken { token_url, client_id, refresh_token, token } => {
                let grant = RefreshToken::new(token_url, Client::public(client_id), refresh_token)?;
                match token {
                    Some(token) => grant.token(token).boxed(),
                    None => grant.boxed(),
                }
            }
        })
    }
}

/// The rest of the program, whose types do not name the grant.
struct Orders {
    client: OAuth2<legacy::Client<HttpConnector, Full<Bytes>>, BoxGrant>,
    url: String,
}

impl Orders {
    fn new(layer: &OAuth2Layer<BoxGrant>, api: &Api) -> Self {
        let http = legacy::Client::builder(TokioExecutor::new()).build_http();
        Self { client: layer.layer(http), url: api.url("/orders") }
    }

    async fn status(&mut self) -> Result<StatusCode, BoxError> {
        let request = Request::get(&self.url).body(Full::default())?;
        Ok(self.client.ready().await?.call(request).await?.status())
    }
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().refresh_tokens()).await?;
    let api = Api::start(&server).await?;
    let file = File(std::env::temp_dir().join(format!("tower-oauth2-from-config-{}.json", std::process::id())));

    let (_, saved) = server.log_in_elsewhere("app");
    let (kept, of_the_same_login) = server.log_in_elsewhere("app");
    let token_url = server.token_url();
    let files = [
        (json!({"grant": "client_credentials", "client_id": "example", "client_secret": "secret"}), true),
        (json!({"grant": "device_code", "client_id": "app"}), true),
        (json!({"grant": "refresh_token", "client_id": "app", "refresh_token": saved}), true),
        // With a valid access token, the program starts without a token request.
        (
            json!({
                "grant": "refresh_token", "client_id": "app", "refresh_token": of_the_same_login,
                "token": {"access_token": kept, "token_type": "Bearer"},
            }),
            false,
        ),
    ];
    for (mut config, asks_the_server) in files {
        config["token_url"] = token_url.as_str().into();
        if config["grant"] == "device_code" {
            config["device_authorization_url"] = server.device_authorization_url().into();
        }
        std::fs::write(&file.0, config.to_string())?;
        let before = server.token_requests();
        let grant = Config::read(&file.0)?.grant()?;
        let name = grant.name();
        let status = Orders::new(&OAuth2Layer::new(grant).origin(api.origin())?, &api).status().await?;
        let token_requests = server.token_requests() - before;
        println!("{name:<18} the API says {status}, after {token_requests} token requests");
        check(config["grant"] == name, "the file decides which grant it is")?;
        check(status == StatusCode::OK, "the API accepts the token")?;
        check((token_requests > 0) == asks_the_server, "a token that is good needs no token request")?;
    }

    wrong(&file.0, &json!({"grant": "password"}))?;
    wrong(
        &file.0,
        &json!({"grant": "client_credentials", "client_id": "example", "client_secret": "s", "token_url": "nowhere"}),
    )
}

/// A configuration file, which is removed at the end.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Prints the error for an invalid configuration file.
fn wrong(file: &Path, config: &Value) -> Result<(), BoxError> {
    std::fs::write(file, config.to_string())?;
    let error = match Config::read(file) {
        Ok(config) => {
            let error = config.grant().err().ok_or("the mistake was not noticed")?;
            check(error.kind() == ErrorKind::Configuration, "it is the configuration that is wrong")?;
            error.to_string()
        }
        Err(error) => error.to_string(),
    };
    println!("with a mistake:    {error}");
    Ok(())
}

/// Asks a person to log in.
fn prompt(prompt: &DevicePrompt) {
    println!("Open {} and enter {}.", prompt.verification_uri(), prompt.user_code());
    if !is_attended() {
        let (uri, code) = (prompt.verification_uri().to_owned(), prompt.user_code().to_owned());
        tokio::spawn(async move {
            match Person::new().type_code(&uri, &code, Choice::Allow).await {
                Ok(page) => println!("(alice's browser says: {})", page.message()),
                Err(error) => println!("(alice's browser fails: {error})"),
            }
        });
    }
}
