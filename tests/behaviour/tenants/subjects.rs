//! K6: the token of a caller is the key, and the subject of its exchange.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};

use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{TokenExchange, token_type};
use tower_oauth2::tenants::{Subject, TenantsLayer};

use super::support::{EchoService, header_in, request_to, sent_with};
use crate::support::{API_URL, Body, TOKEN_URL, TokenService, answer, authorization, form, ours, token};

type Exchanged = Arc<Mutex<Vec<String>>>;

fn layer() -> TenantsLayer<Subject> {
    TenantsLayer::new(|user: &Subject| {
        TokenExchange::new(TOKEN_URL, Client::basic("gateway", "secret"), token_type::ACCESS_TOKEN, user.clone())
    })
}

/// Returns a server that exchanges each subject for a token of the same name, and the subjects that it has seen.
fn server() -> (TokenService, Exchanged) {
    let exchanged = Exchanged::default();
    let seen = exchanged.clone();
    let service = service_fn(move |request: http::Request<Body>| {
        let seen = seen.clone();
        async move {
            if request.uri() != TOKEN_URL {
                return Ok::<_, BoxError>(answer(200, authorization(&request).unwrap()));
            }
            let form: HashMap<_, _> = form(request).await.into_iter().collect();
            assert_eq!(form["subject_token_type"], token_type::ACCESS_TOKEN);
            seen.lock().unwrap().push(form["subject_token"].clone());
            Ok(answer(200, token(&format!("for-{}", form["subject_token"]), 3600)))
        }
    });
    (TokenService::new(service), exchanged)
}

fn service() -> (TenantsLayer<Subject>, EchoService<Subject>, Exchanged) {
    let ((inner, exchanged), layer) = (server(), layer());
    let service = layer.layer(inner);
    (layer, service, exchanged)
}

#[tokio::test(start_paused = true)]
async fn k6_a_new_token_of_the_same_user_is_exchanged_again() {
    let (layer, service, exchanged) = service();
    for incoming in ["anna-1", "anna-1", "anna-2", "bob-1", "anna-1", "anna-2"] {
        // Each request has a value of its own.
        assert_eq!(sent_with(&service, Subject::new(incoming)).await.unwrap(), format!("Bearer for-{incoming}"));
    }
    assert_eq!(*exchanged.lock().unwrap(), ["anna-1", "anna-2", "bob-1"]);
    assert_eq!(layer.len(), 3);
    layer.forget(&Subject::new("anna-1"));
    assert_eq!(sent_with(&service, Subject::new("anna-1")).await.unwrap(), "Bearer for-anna-1");
    assert_eq!(exchanged.lock().unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn k6_each_of_many_requests_gets_the_token_of_its_subject() {
    let (_, service, exchanged) = service();
    let sent: Vec<_> = (0..300)
        .map(|request| {
            let subject = format!("user-{}", request % 100);
            let request = request_to(API_URL, Subject::new(subject.as_str()));
            (subject, tokio::spawn(service.clone().oneshot(request)))
        })
        .collect();
    for (subject, sent) in sent {
        assert_eq!(header_in(sent.await.unwrap().unwrap()).await, format!("Bearer for-{subject}"));
    }
    let exchanged = exchanged.lock().unwrap();
    assert_eq!((exchanged.len(), exchanged.iter().collect::<HashSet<_>>().len()), (100, 100));
}

#[tokio::test(start_paused = true)]
async fn k6_the_token_is_not_changed() {
    let (_, service, exchanged) = service();
    let _ = sent_with(&service, Subject::new(" an+na%3D/&= ")).await;
    assert_eq!(*exchanged.lock().unwrap(), [" an+na%3D/&= "]);
}

/// The exchange of an expired token sends the same subject again.
#[tokio::test(start_paused = true)]
async fn k6_an_expired_token_is_exchanged_again() {
    let (_, service, exchanged) = service();
    for _ in 0..2 {
        assert_eq!(sent_with(&service, Subject::new("anna")).await.unwrap(), "Bearer for-anna");
        crate::support::pass(std::time::Duration::from_secs(3600)).await;
    }
    assert_eq!(*exchanged.lock().unwrap(), ["anna", "anna"]);
}

#[tokio::test(start_paused = true)]
async fn k6_an_unsuitable_token_fails_its_own_request() {
    let (_, service, exchanged) = service();
    for unsuitable in ["", "line\nbreak"] {
        let error = ours(sent_with(&service, Subject::new(unsuitable)).await.unwrap_err());
        let text = format!("{error:?} {error}");
        assert!(unsuitable.is_empty() || !text.contains(unsuitable), "{text}");
    }
    assert!(exchanged.lock().unwrap().is_empty(), "{exchanged:?}");
    assert_eq!(sent_with(&service, Subject::new("anna")).await.unwrap(), "Bearer for-anna");
}

#[test]
fn k6_subjects_are_equal_if_their_tokens_are() {
    let state = RandomState::new();
    let (one, same, other) = (Subject::new("token"), Subject::new("token".to_owned()), Subject::new("Token"));
    assert!(one == same && one == one.clone() && one != other);
    assert_eq!(state.hash_one(&one), state.hash_one(&same));
    assert_ne!(state.hash_one(&one), state.hash_one(&other));
    assert_eq!(HashSet::from([one, same, other]).len(), 2);
    // One byte of their hashes would not distinguish them.
    let first = Subject::new("0");
    assert!((1..5000).all(|number| Subject::new(number.to_string()) != first));
}

#[test]
fn k15_a_subject_is_not_printed() {
    let subject = Subject::new("hunter2");
    for text in [format!("{subject:?}"), format!("{subject:#?}"), format!("{:?}", Some(&subject))] {
        assert!(!text.contains("hunter2") && text.contains("Subject"), "{text}");
    }
    let mut request = http::Request::new(());
    request.extensions_mut().insert(subject);
    assert!(!format!("{request:?} {:?}", request.extensions()).contains("hunter2"));
}
