//! A login by device code (RFC 8628): for a program where no browser is, such as on a server or a television.
//!
//! ```text
//! cargo run --example device_code
//! ```
//!
//! The program shows a short code and an address, the person opens that on any device that has a browser, and the program
//! asks the server now and then whether they are done. A prompt ready-made, with a QR code, is `grant::terminal_prompt`
//! (feature `terminal`). On a terminal that person is you; the name is `alice`, and any password will do. Without a
//! terminal, or with `TOWER_OAUTH2_UNATTENDED=1`, the program plays the person itself.
//!
//! Nothing else is needed. The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{Api, AuthServer, Choice, Person, Settings, check, somebody_is_there};
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
    println!("the API says: {status}");
    check(status == 200, "the API accepts the token")?;

    if !somebody_is_there() {
        let refusal = call(&server, &api, Choice::Deny).await.err().ok_or("the person was overruled")?;
        let refusal = refusal.downcast::<Error>()?;
        println!("when the person says no: {refusal}");
        check(refusal.kind() == ErrorKind::Denied, "the program learns why")?;
    }
    Ok(())
}

/// A program that starts, has the person log in, and calls the API once.
async fn call(server: &AuthServer, api: &Api, choice: Choice) -> Result<StatusCode, BoxError> {
    let prompt = move |prompt: &DevicePrompt| {
        println!("Open {} and enter {}.", prompt.verification_uri(), prompt.user_code());
        if let Some(complete) = prompt.verification_uri_complete() {
            println!("Or open {complete} and see that it shows the same code.");
        }
        println!("That works for {} minutes.", prompt.expires_in().as_secs() / 60);
        if !somebody_is_there() {
            play(prompt, choice);
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

/// The person with the browser, who is somewhere else.
fn play(prompt: &DevicePrompt, choice: Choice) {
    let (uri, code) = (prompt.verification_uri().to_owned(), prompt.user_code().to_owned());
    tokio::spawn(async move {
        match Person::new().type_code(&uri, &code, choice).await {
            Ok(page) => println!("(alice's browser says: {})", page.message()),
            Err(error) => println!("(alice's browser fails: {error})"),
        }
    });
}
