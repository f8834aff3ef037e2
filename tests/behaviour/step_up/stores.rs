//! S10: processes that share a store share a step-up.

use serde_json::{Value, json};
use tower::BoxError;
use tower_oauth2::grant::{DeviceCode, Persisted};
use tower_oauth2::store::{Entry, Key, MemoryStore, TokenStore};
use tower_oauth2::{OAuth2Layer, Token};

use super::{CLAIMS, FRESHER_LOGIN, Program, challenge, device, needs_claims, needs_scope, of_login, read};
use crate::support::{Body, Server, answer, grant, pass, spawn_refresh};

/// A store without notifications, so that another process finds a token only when it looks.
#[derive(Clone, Default)]
struct Silent(MemoryStore);

impl TokenStore for Silent {
    type Lock = <MemoryStore as TokenStore>::Lock;

    async fn lock(&self, key: &Key) -> Result<Self::Lock, BoxError> {
        self.0.lock(key).await
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        self.0.load(key).await
    }

    async fn save(&self, key: &Key, entry: &Entry, lock: &mut Self::Lock) -> Result<(), BoxError> {
        self.0.save(key, entry, lock).await
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        self.0.clear(key, generation).await
    }
}

type Process<S> = Program<Persisted<DeviceCode, S>>;

fn persisted<S: TokenStore>(store: S) -> Persisted<DeviceCode, S> {
    device().scope("read").unwrap().persisted(store)
}

/// Starts a process that has loaded the token from the store.
async fn process<S: TokenStore + Clone>(store: &S) -> Process<S> {
    let mut process = Program::new(&OAuth2Layer::new(persisted(store.clone())).step_up());
    let sent = process.send();
    process.accept(sent, "a").await;
    process
}

/// Saves a token as another process does, and returns its generation.
async fn save(store: &impl TokenStore, token: Token) -> u64 {
    let key = persisted(MemoryStore::new()).key().clone();
    let generation = store.load(&key).await.unwrap().map_or(1, |entry| entry.generation + 1);
    let mut lock = store.lock(&key).await.unwrap();
    store.save(&key, &Entry::new(token, generation), &mut lock).await.unwrap();
    generation
}

/// A token in a store that was requested with this.
fn recorded(access_token: &str, record: Value) -> Token {
    let stored = json!({"access_token": access_token, "refresh_token": "r0", "tower_oauth2": record});
    serde_json::from_value(stored).unwrap()
}

/// Lets the person log in to a process.
async fn log_in<S: TokenStore>(process: &mut Process<S>, access_token: &str) -> super::Form {
    let (request, respond) = process.server.next().await;
    assert_eq!(request.uri(), super::DEVICE_URL, "no login");
    let code =
        json!({"device_code": "d", "user_code": "X", "verification_uri": "https://example.com", "expires_in": 60});
    respond.send_response(answer(200, code));
    process.issue(access_token).await;
    crate::support::form(request).await.into_iter().collect()
}

#[tokio::test(start_paused = true)]
async fn the_second_process_adopts_the_token_of_the_first_ones_login() {
    for response in [|| needs_scope("write"), || challenge(401, FRESHER_LOGIN)] {
        let store = Silent::default();
        save(&store, of_login("a")).await;
        let (mut one, mut two) = (process(&store).await, process(&store).await);
        let first = one.challenged(response()).await;
        let second = two.challenged(response()).await;
        // The second one waits for the lock of the first one.
        two.server.assert_no_request().await;
        log_in(&mut one, "b").await;
        one.accept(first, "b").await;
        two.accept(second, "b").await;
        two.assert_passes(response()).await;
        one.assert_passes(response()).await;
    }
}

/// It looks before it takes the lock, which the first process may hold for a minute.
#[tokio::test(start_paused = true)]
async fn a_stored_token_with_all_of_it_is_adopted_without_the_lock() {
    let store = Silent::default();
    save(&store, of_login("a")).await;
    let mut process = process(&store).await;
    save(&store, recorded("b", json!({"scope": "read write"}))).await;
    let key = persisted(MemoryStore::new()).key().clone();
    let lock = store.lock(&key).await.unwrap();
    let sent = process.challenged(needs_scope("write")).await;
    process.accept(sent, "b").await;
    drop(lock);
}

#[tokio::test(start_paused = true)]
async fn a_stored_token_without_it_is_not_adopted() {
    for record in [json!({}), json!({"scope": "read pay"}), json!({"acr_values": "mfa", "max_age": 5, "login_at": 7})] {
        let store = Silent::default();
        save(&store, of_login("a")).await;
        let mut process = process(&store).await;
        save(&store, recorded("b", record.clone())).await;
        let sent = process.challenged(needs_scope("write")).await;
        // The login keeps what the stored token was requested with.
        let scope = if record.get("scope").is_some() { "read pay write" } else { "read write" };
        let started = log_in(&mut process, "c").await;
        assert_eq!(started["scope"], scope, "{record}");
        process.accept(sent, "c").await;
    }
}

/// The login is stored, with what it was requested with, under the key of the configured scope.
#[tokio::test(start_paused = true)]
async fn the_next_start_finds_the_token_and_its_record() {
    let store = MemoryStore::new();
    save(&store, of_login("a")).await;
    let mut first = process(&store).await;
    let sent = first.challenged(needs_scope("write")).await;
    log_in(&mut first, "b").await;
    first.accept(sent, "b").await;
    drop(first);
    let mut second = Program::new(&OAuth2Layer::new(persisted(store.clone())).step_up());
    let sent = second.send();
    second.accept(sent, "b").await;
    second.assert_passes(needs_scope("write")).await;
    // The scope of the earlier challenge is requested with that of the next one.
    let sent = second.challenged(needs_scope("admin")).await;
    assert_eq!(log_in(&mut second, "c").await["scope"], "read write admin");
    second.accept(sent, "c").await;
    let key = persisted(MemoryStore::new()).key().clone();
    assert_eq!(store.load(&key).await.unwrap().unwrap().token.access_token(), "c");
}

/// Two layers of one process: the token of one arrives at the other while its challenged request is under way.
#[tokio::test(start_paused = true)]
async fn a_request_that_was_challenged_with_the_older_token_is_sent_with_the_newer_one() {
    let store = MemoryStore::new();
    save(&store, of_login("a")).await;
    let (mut one, mut two) = (process(&store).await, process(&store).await);
    let second = two.send();
    let (_, respond) = two.server.next().await;
    let first = one.challenged(needs_scope("write")).await;
    log_in(&mut one, "b").await;
    one.accept(first, "b").await;
    pass(std::time::Duration::from_millis(1)).await;
    assert_eq!(two.tokens.peek().unwrap().access_token(), "b");
    respond.send_response(needs_scope("write"));
    two.accept(second, "b").await;
    two.server.assert_no_request().await;
}

/// A refresh token is in the store, and the claims are demanded of the newest one.
#[tokio::test(start_paused = true)]
async fn claims_are_requested_with_the_stored_refresh_token() {
    let store = Silent::default();
    save(&store, of_login("a")).await;
    let mut process = process(&store).await;
    save(&store, Token::bearer("b").unwrap().with_refresh_token("r7")).await;
    let sent = process.challenged(needs_claims(CLAIMS)).await;
    let form = process.issue("c").await;
    assert_eq!((form["refresh_token"].as_str(), form["claims"].as_str()), ("r7", CLAIMS));
    process.accept(sent, "c").await;
    let key = persisted(MemoryStore::new()).key().clone();
    let stored = serde_json::to_value(&store.load(&key).await.unwrap().unwrap().token).unwrap();
    assert_eq!(stored["tower_oauth2"]["claims"], serde_json::from_str::<Value>(CLAIMS).unwrap());
}

/// A program that was just started asks its user, who has agreed in another process before.
#[tokio::test(start_paused = true)]
async fn a_call_before_the_first_request_finds_the_stored_token() {
    for (scope, is_enough) in [("read write", true), ("read", false)] {
        let store = MemoryStore::new();
        save(&store, recorded("a", json!({"scope": scope}))).await;
        let (token_service, server) = tower_test::mock::pair::<http::Request<Body>, http::Response<Body>>();
        let (mut server, layer) =
            (Server::from(server), OAuth2Layer::new(persisted(store)).token_service(token_service));
        let tokens = layer.tokens();
        let challenge = read(&needs_scope("write"));
        let stepping = tokio::spawn(async move { tokens.step_up(&challenge).await });
        if is_enough {
            assert_eq!(stepping.await.unwrap().unwrap().access_token(), "a");
            server.assert_no_request().await;
        } else {
            let (request, _respond) = server.next().await;
            assert_eq!(request.uri(), super::DEVICE_URL);
            let form = crate::support::form(request).await;
            assert!(form.contains(&("scope".to_owned(), "read write".to_owned())), "{form:?}");
        }
    }
}

/// A refresh by another process keeps the record, which is that of the login.
#[tokio::test(start_paused = true)]
async fn a_refresh_by_another_process_keeps_the_scope_of_the_step_up() {
    let store = MemoryStore::new();
    save(&store, of_login("a")).await;
    let (mut one, mut two) = (process(&store).await, process(&store).await);
    save(&store, recorded("b", json!({"scope": "read write"}))).await;
    pass(std::time::Duration::from_millis(1)).await;
    let refreshing = spawn_refresh(&one.tokens);
    assert_eq!(one.issue("c").await["refresh_token"], "r0");
    refreshing.await.unwrap().unwrap();
    pass(std::time::Duration::from_millis(1)).await;
    assert_eq!(two.tokens.peek().unwrap().access_token(), "c");
    one.assert_passes(needs_scope("write")).await;
    two.assert_passes(needs_scope("write")).await;
}

/// A grant without a person, whose processes share one token.
#[tokio::test(start_paused = true)]
async fn a_program_adopts_the_scope_that_another_process_has_obtained() {
    let store = Silent::default();
    let layer = || OAuth2Layer::new(grant().scope("read").unwrap().persisted(store.clone())).step_up();
    let (mut one, mut two) = (Program::new(&layer()), Program::new(&layer()));
    let sent = one.send();
    one.issue("a").await;
    one.accept(sent, "a").await;
    let sent = two.send();
    two.accept(sent, "a").await;
    let (first, second) = (one.challenged(needs_scope("write")).await, two.challenged(needs_scope("write")).await);
    assert_eq!(one.issue("b").await["scope"], "read write");
    one.accept(first, "b").await;
    two.accept(second, "b").await;
    two.server.assert_no_request().await;
}
