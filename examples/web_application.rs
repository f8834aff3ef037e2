//! A web application whose visitors log in at an authorization server, and for whom it calls an API.
//!
//! ```text
//! cargo run --example web_application
//! ```
//!
//! It has its own redirect route, so it uses the steps of the authorization code grant: `authorization_url` starts a login,
//! `callback` reads the authorization response, and `exchange` obtains the token. Each visitor then has a separate layer, with a
//! separate token.
//!
//! It runs as two replicas. A login that starts at one replica can be completed at the other, because both keep pending logins in one
//! session store, and tokens in one token store:
//!
//! ```text
//!  visitor ── /login ────▶ replica 1 ── Authorization ──▶ session store
//!     │                                                        │
//!     └────── /callback ─▶ replica 2 ◀── Authorization ────────┘
//! ```
//!
//! On a terminal, you are the visitor: log in as `alice` with any password. Without a terminal, or with
//! `TOWER_OAUTH2_UNATTENDED=1`, the program simulates the visitor.
//!
//! Nothing else is needed. The authorization server and the API run inside the program, on 127.0.0.1.

#[path = "web_application/failure.rs"]
mod failure;
#[path = "web_application/replica.rs"]
mod replica;
#[path = "web_application/session.rs"]
mod session;
mod support;

use std::sync::Arc;

use replica::Replica;
use session::Sessions;
use support::{Api, AuthServer, Choice, Person, Settings, check, is_attended};
use tokio::net::TcpListener;
use tower::BoxError;
use tower_oauth2::{client::Client, grant::AuthorizationCode, store::MemoryStore};

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().refresh_tokens()).await?;
    let api = Api::start(&server).await?;
    let client = Client::basic("example", "secret");
    let listeners = [TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?];
    let urls = [format!("http://{}", listeners[0].local_addr()?), format!("http://{}", listeners[1].local_addr()?)];

    // In production, both stores are in Redis or a database: use `RedisStore` instead of `MemoryStore`.
    let (sessions, tokens) = (Arc::new(Sessions::default()), MemoryStore::new());
    let mut serving = Vec::new();
    for (number, listener) in listeners.into_iter().enumerate() {
        let replica = Replica {
            // Real replicas share an address behind a load balancer. Here the redirect leads to the other replica.
            redirect_uri: format!("{}/callback", urls[1 - number]),
            api: api.origin(),
            token_url: server.token_url(),
            grant: AuthorizationCode::new(server.authorization_url(), server.token_url(), client.clone())?
                .scope("orders")?,
            client: client.clone(),
            http: replica::http(),
            sessions: sessions.clone(),
            tokens: tokens.clone(),
            visitors: Default::default(),
        };
        let routes = replica.routes();
        serving.push(tokio::spawn(async move { axum::serve(listener, routes).await }));
    }

    if is_attended() {
        println!("Open {} in your browser. Ctrl-C ends the program.", urls[0]);
        return Ok(tokio::signal::ctrl_c().await?);
    }
    let outcome = visit(&urls).await;
    serving.iter().for_each(|replica| replica.abort());
    outcome
}

/// Simulates the visitors.
async fn visit([one, other]: &[String; 2]) -> Result<(), BoxError> {
    let mut alice = Person::new();
    let page = alice.log_in(one, Choice::Allow).await?;
    println!("alice logs in:            {} {}", page.status, page.text);
    check(page.status == 200 && page.text.contains("/orders"), "the API accepts the visitor's token")?;
    check(page.url.as_str().starts_with(&**other), "the other replica has completed the login")?;

    let page = alice.open(one).await?;
    println!("at the first replica:     {} {}", page.status, page.text);
    check(page.status == 200 && page.text.contains("/orders"), "the first replica finds the session too")?;

    let page = Person::new().log_in(one, Choice::Deny).await?;
    println!("a visitor denies access:  {} {}", page.status, page.text);
    check(page.status == 400 && page.text.contains("not logged in"), "the visitor is not logged in")?;

    let page = Person::new().open(&format!("{other}/callback?code=stolen&state=guessed")).await?;
    println!("with a forged link:       {} {}", page.status, page.text);
    check(page.status == 400, "no visitor is logged in")
}
