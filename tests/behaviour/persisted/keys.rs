//! Logins with different properties have different entries.

use std::collections::HashSet;

use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, Password, Persisted, RefreshToken};
use tower_oauth2::store::MemoryStore;

use super::{HOURS, answer, send, with};
use crate::support::{TOKEN_URL, pass};

fn credentials() -> ClientCredentials {
    ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap()
}

fn id<G>(change: impl FnOnce(Persisted<ClientCredentials, MemoryStore>) -> Persisted<G, MemoryStore>) -> String {
    change(credentials().persisted(MemoryStore::new())).key().id().to_owned()
}

fn id_of(grant: ClientCredentials) -> String {
    grant.persisted(MemoryStore::new()).key().id().to_owned()
}

#[test]
fn properties_that_change_the_key() {
    let elsewhere = ClientCredentials::new("https://other.example.com/token", Client::basic("id", "secret")).unwrap();
    let other_client = ClientCredentials::new(TOKEN_URL, Client::basic("other", "secret")).unwrap();
    let person = |name| Password::new(TOKEN_URL, Client::basic("id", "secret"), name, "pw").unwrap();
    let ids = [
        id(|login| login),
        id_of(elsewhere),
        id_of(other_client),
        id_of(credentials().scope("read").unwrap()),
        id_of(credentials().scope("read write").unwrap()),
        id_of(credentials().resource("https://a.example.com").unwrap()),
        id_of(credentials().resource("https://a.example.com").unwrap().resource("https://b.example.com").unwrap()),
        id_of(credentials().param("audience", "a")),
        id_of(credentials().param("audience", "b")),
        // A client can have a token of its own and tokens of persons.
        RefreshToken::new(TOKEN_URL, Client::basic("id", "secret"), "r")
            .unwrap()
            .persisted(MemoryStore::new())
            .key()
            .id()
            .into(),
        id(|login| login.subject("alice")),
        id(|login| login.subject("bob")),
        person("carol").persisted(MemoryStore::new()).key().id().to_owned(),
        person("dave").persisted(MemoryStore::new()).key().id().to_owned(),
    ];
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
}

#[test]
fn properties_that_do_not_change_the_key() {
    let other_secret = ClientCredentials::new(TOKEN_URL, Client::post("id", "new secret")).unwrap();
    assert_eq!(id_of(other_secret), id_of(credentials()));
    let scoped = |scope| id_of(credentials().scope(scope).unwrap());
    assert_eq!(scoped("read write"), scoped("write read"));
    let with = |first: (&str, &str), second: (&str, &str)| {
        id_of(credentials().param(first.0, first.1).param(second.0, second.1))
    };
    assert_eq!(with(("audience", "a"), ("tenant", "b")), with(("tenant", "b"), ("audience", "a")));
    assert_ne!(with(("audience", "a"), ("tenant", "b")), with(("audience", "b"), ("tenant", "a")));
    let resources = |one, two| id_of(credentials().resource(one).unwrap().resource(two).unwrap());
    assert_eq!(resources("https://a", "https://b"), resources("https://b", "https://a"));
}

/// The program's own token and the person's token do not replace each other.
#[tokio::test(start_paused = true)]
async fn a_program_and_a_person_with_one_client() {
    let store = MemoryStore::new();
    let (program, mut one) = with(credentials().persisted(store.clone()));
    let sent = send(&program);
    one.issue_token(crate::support::token("program", 3600)).await;
    assert_eq!(one.next_authorization().await.as_deref(), Some("Bearer program"));
    sent.await.unwrap().unwrap();
    let person = RefreshToken::new(TOKEN_URL, Client::basic("id", "secret"), "r0").unwrap().persisted(store);
    let (person, mut two) = with(person);
    super::refreshed(&person, &mut two, "r0", "person", "r1").await;
    super::served(&program, &mut one, "program").await;
}

/// Two logins do not use each other's refresh token.
#[tokio::test(start_paused = true)]
async fn two_scopes_in_one_store() {
    let store = MemoryStore::new();
    let scoped = |scope| with(credentials().scope(scope).unwrap().persisted(store.clone()));
    let ((read, mut one), (write, mut two)) = (scoped("read"), scoped("write"));
    for round in 0..2 {
        for (service, server, name) in [(&read, &mut one, "read"), (&write, &mut two, "write")] {
            let sent = send(service);
            let (form, respond) = server.token_request().await;
            assert_eq!(round == 0, form.contains(&("scope".to_owned(), name.to_owned())), "{form:?}");
            assert_eq!(round == 1, form.contains(&("refresh_token".to_owned(), format!("r-{name}"))), "{form:?}");
            respond.send_response(crate::support::answer(200, answer(name, &format!("r-{name}"))));
            assert_eq!(server.next_authorization().await, Some(format!("Bearer {name}")));
            sent.await.unwrap().unwrap();
        }
        pass(HOURS).await;
    }
}
