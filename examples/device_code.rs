//! A login with a device code (RFC 8628), for programs on machines without a browser, such as a server or a television.
//!
//! ```text
//! cargo run --example device_code
//! ```
//!
//! The program shows a code and a URL, the user opens the URL on any device with a browser, and the program polls the server until the
//! login is complete. The feature `terminal` has a prompt with a QR code: `grant::terminal_prompt`. On a terminal, you are the user: log
//! in as `alice` with any password. Without a terminal, or with `TOWER_OAUTH2_UNATTENDED=1`, the program simulates the user.
//!
//! The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{Api, AuthServer, Choice, Person, Settings, check, is_attended};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth2::{
    Error, ErrorKind, OAuth2Layer,
    client::Client,
    grant::{DeviceCode, DevicePrompt},
};

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default()).await?;
    let api = Api::start(&server).await?;

    let status = call(&server, &api, Choice::Allow).await?;
    println!("the API responds with {status}");
    check(status == 200, "the API accepts the token")?;

    if !is_attended() {
        let error = call(&server, &api, Choice::Deny).await.err().ok_or("the request succeeded without consent")?;
        let error = error.downcast::<Error>()?;
        println!("when the user denies: {error}");
        check(error.kind() == ErrorKind::Denied, "the error is `Denied`")?;
    }
    Ok(())
}

/// Logs in, and sends a request to the API.
async fn call(server: &AuthServer, api: &Api, choice: Choice) -> Result<StatusCode, BoxError> {
    let prompt = move |prompt: &DevicePrompt| {
        println!("Open {} and enter {}.", prompt.verification_uri(), prompt.user_code());
        if let Some(complete) = prompt.verification_uri_complete() {
            println!("Or open {complete} and check that it shows the same code.");
        }
        println!("The code expires in {} minutes.", prompt.expires_in().as_secs() / 60);
        if !is_attended() {
            simulate_user(prompt, choice);
        }
    };
    let grant = DeviceCode::new(server.device_authorization_url(), server.token_url(), Client::public("app"), prompt)?
        .scope("orders")?
        .pkce();

    let mut client = ServiceBuilder::new()
        .layer(OAuth2Layer::new(grant).origin(api.origin())?)
        .service(legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>());
    let request = Request::get(api.url("/orders")).body(Full::default())?;
    Ok(client.ready().await?.call(request).await?.status())
}

/// Enters the code in a simulated browser on another device.
fn simulate_user(prompt: &DevicePrompt, choice: Choice) {
    let (uri, code) = (prompt.verification_uri().to_owned(), prompt.user_code().to_owned());
    tokio::spawn(async move {
        match Person::new().type_code(&uri, &code, choice).await {
            Ok(page) => println!("(the browser shows: {})", page.message()),
            Err(error) => println!("(the browser failed: {error})"),
        }
    });
}
