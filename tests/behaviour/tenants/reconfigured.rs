//! `forget` after a change of the configuration, while a cell is created.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::tenants::TenantsLayer;

use super::support::{Tenant, grant, mock_service, request, spawn, tenants};
use crate::support::{TOKEN_URL, answer, token};

type LaterLayer = Arc<OnceLock<TenantsLayer<Tenant>>>;

#[tokio::test(start_paused = true)]
async fn a_cell_of_the_old_configuration_is_not_kept() {
    let (later, secret) = (LaterLayer::default(), Arc::new(Mutex::new("old")));
    let (itself, configured) = (later.clone(), secret.clone());
    let layer = tenants(move |tenant: &Tenant| {
        let read = *configured.lock().unwrap();
        if read == "old" {
            // What another thread does at this moment.
            *configured.lock().unwrap() = "new";
            itself.get().unwrap().forget(tenant);
        }
        ClientCredentials::new(TOKEN_URL, Client::post(tenant.0, read))
    });
    later.set(layer.clone()).unwrap();
    let (service, mut server) = mock_service(&layer);

    let response = spawn(&service, request("acme"));
    let (form, respond) = server.token_request().await;
    assert!(form.contains(&("client_secret".to_owned(), "new".to_owned())), "{form:?}");
    respond.send_response(answer(200, token("acme", 3600)));
    assert_eq!(server.next_authorization().await.unwrap(), "Bearer acme");
    assert_eq!(response.await.unwrap().unwrap(), 200);
    assert_eq!((layer.len(), *secret.lock().unwrap()), (1, "new"));
}

#[tokio::test(start_paused = true)]
async fn a_function_that_forgets_its_key_each_time_ends() {
    let (later, calls) = (LaterLayer::default(), Arc::new(AtomicUsize::new(0)));
    let (itself, counter) = (later.clone(), calls.clone());
    let layer = tenants(move |tenant: &Tenant| {
        counter.fetch_add(1, Ordering::SeqCst);
        itself.get().unwrap().forget(tenant);
        ClientCredentials::new(TOKEN_URL, Client::post(tenant.0, "secret"))
    });
    later.set(layer.clone()).unwrap();
    layer.tokens(&Tenant("acme")).unwrap();
    assert!((2..=8).contains(&calls.load(Ordering::SeqCst)));
    assert_eq!(layer.len(), 1);
}

#[test]
fn k7_forget_during_a_creation_does_not_concern_other_keys() {
    let (later, calls) = (LaterLayer::default(), Arc::new(AtomicUsize::new(0)));
    let (itself, counter) = (later.clone(), calls.clone());
    let layer = tenants(move |tenant: &Tenant| {
        counter.fetch_add(1, Ordering::SeqCst);
        itself.get().unwrap().forget(&Tenant("another"));
        grant(tenant)
    });
    later.set(layer.clone()).unwrap();
    layer.tokens(&Tenant("acme")).unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

/// The function creates the cell of another key before or after its own key is forgotten.
#[test]
fn k7_of_a_creation_within_another_the_forgotten_one_is_repeated() {
    for forgets_first in [true, false] {
        let (later, called) = (LaterLayer::default(), Arc::new(Mutex::new(Vec::new())));
        let (itself, calls) = (later.clone(), called.clone());
        let layer = tenants(move |tenant: &Tenant| {
            let is_first = calls.lock().unwrap().is_empty();
            calls.lock().unwrap().push(tenant.0);
            if is_first {
                let layer = itself.get().unwrap();
                let forget = |now: bool| {
                    if now {
                        layer.forget(tenant)
                    }
                };
                forget(forgets_first);
                layer.tokens(&Tenant("inner"))?;
                forget(!forgets_first);
            }
            grant(tenant)
        });
        later.set(layer.clone()).unwrap();
        layer.tokens(&Tenant("outer")).unwrap();
        assert_eq!(*called.lock().unwrap(), ["outer", "inner", "outer"], "{forgets_first}");
    }
}
