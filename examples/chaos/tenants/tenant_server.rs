//! The token endpoint and the API of all tenants: `POST /17/token` and `GET /17/answer`. The tokens of tenant 17 are `17-1`, `17-2`, ….

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use serde_json::json;
use tokio::time::sleep;
use url::form_urlencoded;

use super::super::{
    access_token::LIFETIMES,
    behavior::ApiBehavior,
    connection::{self, Connection, RawRequest},
    promises::Promise,
    run::Run,
    tally::Part,
    token_faults::Fault,
};

pub(super) struct TenantServer {
    run: Arc<Run>,
    tenants: Vec<TenantTokens>,
    rng: Mutex<Rng>,
}

#[derive(Default)]
struct TenantTokens {
    /// The number of tokens that were issued.
    issued: AtomicU64,
    /// The tokens up to this number are revoked.
    revoked: AtomicU64,
}

/// The tenant and the number of a token.
pub(super) fn parse_token(token: &str) -> Option<(u64, u64)> {
    let (tenant, number) = token.split_once('-')?;
    Some((tenant.parse().ok()?, number.parse().ok()?))
}

impl TenantServer {
    pub(super) fn new(run: Arc<Run>, tenants: u64, rng: Rng) -> Self {
        Self { run, tenants: (0..tenants).map(|_| TenantTokens::default()).collect(), rng: Mutex::new(rng) }
    }

    pub(super) async fn listen(self: Arc<Self>) -> io::Result<SocketAddr> {
        connection::listen(move |connection| self.clone().handle(connection)).await
    }

    /// The number of tenants of which a token was revoked.
    pub(super) fn revoked(&self) -> u64 {
        self.tenants.iter().filter(|tokens| tokens.revoked.load(Ordering::SeqCst) > 0).count() as u64
    }

    async fn handle(self: Arc<Self>, mut connection: Connection) {
        while let Some(request) = connection.read().await {
            let Some((tenant, path)) = tenant_of(&request.path) else { return };
            let ended = match path {
                "/token" => self.token(tenant, &request, connection).await,
                path => self.api(tenant, ApiBehavior::of(path), &request, connection).await,
            };
            let Some(open) = ended else { return };
            connection = open;
        }
    }

    /// Returns the connection unless it was closed.
    async fn token(&self, tenant: u64, request: &RawRequest, mut connection: Connection) -> Option<Connection> {
        let client = form_urlencoded::parse(&request.body).find(|(name, _)| name == "client_id");
        if client.is_none_or(|(_, id)| id != tenant.to_string()) {
            self.run.broken(
                Promise::TenantsAreNotMixedUp,
                format!("a token request of tenant {tenant} had another client"),
            );
        }
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner).fork();
        let fault = Fault::draw(&mut rng).map(|(fault, _)| fault);
        if fault == Some(Fault::Stall) {
            connection.stall().await;
            return None;
        }
        sleep(Duration::from_millis(rng.u64(0..10))).await;
        let (head, body) = match fault {
            Some(fault) if !fault.loses_response() => fault.response(),
            _ => self.issue(tenant, rng.u64(LIFETIMES)),
        };
        match fault {
            Some(Fault::ResetUnread | Fault::ResetUnprocessed | Fault::ResetProcessed) => connection.reset(),
            Some(Fault::CutBody) => connection.write_partial(&head, &body).await,
            Some(Fault::Truncated) => {
                connection.write(&head, &body[..body.len() / 2]).await;
                return Some(connection);
            }
            _ => {
                connection.write(&head, &body).await;
                return Some(connection);
            }
        }
        None
    }

    fn issue(&self, tenant: u64, lifetime: u64) -> (String, String) {
        let number = self.tokens(tenant).map_or(0, |tokens| tokens.issued.fetch_add(1, Ordering::SeqCst) + 1);
        let token =
            json!({ "access_token": format!("{tenant}-{number}"), "token_type": "Bearer", "expires_in": lifetime });
        ("200 OK\r\ncontent-type: application/json".into(), token.to_string())
    }

    /// Returns the connection unless it was closed.
    async fn api(
        &self,
        tenant: u64,
        behavior: ApiBehavior,
        request: &RawRequest,
        mut connection: Connection,
    ) -> Option<Connection> {
        let token = request.header("authorization").and_then(|value| parse_token(value.strip_prefix("Bearer ")?));
        match behavior {
            ApiBehavior::RespondAfter(millis) => sleep(Duration::from_millis(millis)).await,
            ApiBehavior::Revoke => {
                if let Some((owner, number)) = token
                    && let Some(tokens) = self.tokens(owner)
                {
                    tokens.revoked.fetch_max(number, Ordering::SeqCst);
                }
            }
            ApiBehavior::Unavailable => {
                connection.write("503 Service Unavailable", "").await;
                return Some(connection);
            }
            ApiBehavior::CutBody => {
                connection.write_partial("200 OK", "the client receives only the first half of this").await;
                return None;
            }
            ApiBehavior::Reset => {
                connection.reset();
                return None;
            }
            ApiBehavior::Stall => {
                connection.stall().await;
                return None;
            }
            ApiBehavior::Respond => {}
        }
        let (owner, number) = token.unwrap_or_default();
        let is_revoked = self.tokens(owner).is_none_or(|tokens| number <= tokens.revoked.load(Ordering::SeqCst));
        match is_revoked {
            true => {
                self.run.count(Part::TenantEvents, "401: the token was revoked");
                connection.write("401 Unauthorized\r\nwww-authenticate: Bearer error=\"invalid_token\"", "").await;
            }
            false => connection.write("200 OK", &format!("{tenant} {owner}-{number}")).await,
        }
        Some(connection)
    }

    fn tokens(&self, tenant: u64) -> Option<&TenantTokens> {
        self.tenants.get(usize::try_from(tenant).ok()?)
    }
}

/// The tenant of a path, and the rest of the path.
pub(super) fn tenant_of(path: &str) -> Option<(u64, &str)> {
    let path = path.strip_prefix('/')?;
    let (tenant, _) = path.split_once('/')?;
    Some((tenant.parse().ok()?, &path[tenant.len()..]))
}
