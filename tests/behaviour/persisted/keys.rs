//! Logins that differ in anything have entries of their own.

use std::collections::HashSet;

use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, Password, Persisted};
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
fn whatever_differs() {
    let elsewhere = ClientCredentials::new("https://other.example.com/token", Client::basic("id", "secret")).unwrap();
    let somebody_else = ClientCredentials::new(TOKEN_URL, Client::basic("other", "secret")).unwrap();
    let person = |name| Password::new(TOKEN_URL, Client::basic("id", "secret"), name, "pw").unwrap();
    let ids = [
        id(|login| login),
        id_of(elsewhere),
        id_of(somebody_else),
        id_of(credentials().scope("read").unwrap()),
        id_of(credentials().scope("read write").unwrap()),
        id_of(credentials().resource("https://a.example.com").unwrap()),
        id_of(credentials().resource("https://a.example.com").unwrap().resource("https://b.example.com").unwrap()),
        id_of(credentials().param("audience", "a")),
        id_of(credentials().param("audience", "b")),
        id(|login| login.subject("alice")),
        id(|login| login.subject("bob")),
        person("carol").persisted(MemoryStore::new()).key().id().to_owned(),
        person("dave").persisted(MemoryStore::new()).key().id().to_owned(),
    ];
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
}

#[test]
fn what_does_not_matter() {
    let other_secret = ClientCredentials::new(TOKEN_URL, Client::post("id", "new secret")).unwrap();
    assert_eq!(id_of(other_secret), id_of(credentials()));
    let scoped = |scope| id_of(credentials().scope(scope).unwrap());
    assert_eq!(scoped("read write"), scoped("write read"));
}

/// And what differs does not get the other's token, even at a renewal.
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
            assert_eq!(server.serves().await, Some(format!("Bearer {name}")));
            sent.await.unwrap().unwrap();
        }
        pass(HOURS).await;
    }
}
