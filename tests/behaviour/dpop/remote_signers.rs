//! D27: a signer that requests wait for, such as a KMS.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tower::ServiceExt;
use tower_oauth2::dpop::Dpop;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::jwt::{Draft, signer_fn};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};

use super::signers::{gated, one_permit, remote, signed};
use super::{bound, proof};
use crate::support::{API_URL, answer, authorization, get, mock_service, ours, pass};

fn layer(key: Dpop) -> OAuth2Layer<ClientCredentials> {
    let layer = OAuth2Layer::new(bound(key));
    layer.tokens().set(Token::dpop("a").unwrap());
    layer
}

#[tokio::test(start_paused = true)]
async fn d27_a_request_that_waits_for_a_signature_holds_no_permit() {
    let (key, gate, calls) = gated();
    let layer = layer(key).origin("https://api.example.com").unwrap();
    let (service, mut server) = one_permit(&layer);
    let waiting = tokio::spawn(service.clone().oneshot(get(API_URL)));
    server.assert_no_request().await;
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    // The only permit is free for a request without a token.
    let other = tokio::spawn(service.clone().oneshot(get("https://other.example.com/")));
    assert_eq!(server.next_authorization().await, None);
    other.await.unwrap().unwrap();
    gate.add_permits(1);
    assert_eq!(server.next_authorization().await, Some("DPoP a".to_owned()));
    waiting.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn d27_a_signer_that_never_returns_ends_with_the_token_timeout() {
    let key = remote(signer_fn(async |_: Draft| pending().await));
    let layer = layer(key).token_timeout(Duration::from_secs(7)).unwrap();
    let (service, mut server) = mock_service(&layer);
    let (start, tokens) = (tokio::time::Instant::now(), layer.tokens());
    let error = ours(service.oneshot(get(API_URL)).await.unwrap_err());
    assert_eq!((error.kind(), start.elapsed().as_secs()), (ErrorKind::Proof, 7));
    let error = tokens.authorize(&mut get(API_URL)).await.unwrap_err();
    assert_eq!((error.kind(), start.elapsed().as_secs()), (ErrorKind::Proof, 14));
    server.assert_no_request().await;
    assert!(tokens.peek().is_some(), "the token stays in use");
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_signer_is_the_error_of_its_request_only() {
    let calls = AtomicUsize::new(0);
    let key = remote(signer_fn(move |draft: Draft| {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        async move {
            if call == 0 { Err(Error::caused_by(ErrorKind::Proof, "the KMS cannot be reached")) } else { signed(draft) }
        }
    }));
    let (service, mut server) = mock_service(&layer(key));
    let error = ours(service.clone().oneshot(get(API_URL)).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Proof);
    assert!(format!("{error:?}").contains("the KMS cannot be reached"), "{error:?}");
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    assert_eq!(server.next_authorization().await, Some("DPoP a".to_owned()));
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_signer_that_panics_is_an_error() {
    for panics_at_once in [true, false] {
        let key = remote(signer_fn(move |_: Draft| {
            assert!(!panics_at_once, "hunter2");
            async move {
                tokio::task::yield_now().await;
                panic!("hunter2")
            }
        }));
        let layer = layer(key);
        let (service, mut server) = mock_service(&layer);
        let error = ours(service.oneshot(get(API_URL)).await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(!format!("{error:?}").contains("hunter2"));
        assert_eq!(layer.tokens().authorize(&mut get(API_URL)).await.unwrap_err().kind(), ErrorKind::Panicked);
        server.assert_no_request().await;
    }
}

/// The request carries the newest token when the signer has returned.
#[tokio::test(start_paused = true)]
async fn a_token_that_is_replaced_while_the_signer_works_is_not_sent() {
    let (key, gate, calls) = gated();
    let layer = layer(key);
    let (service, mut server) = mock_service(&layer);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let tokens = layer.tokens();
    let authorizing = tokio::spawn(async move {
        let mut request = get(API_URL);
        tokens.authorize(&mut request).await.map(|_| request)
    });
    server.assert_no_request().await;
    layer.tokens().set(Token::dpop("b").unwrap());
    gate.add_permits(10);
    let (request, respond) = server.next().await;
    assert_eq!(authorization(&request), Some("DPoP b"));
    assert_eq!(calls.load(Ordering::SeqCst), 4);
    let of_b = proof(&request).1["ath"].clone();
    respond.send_response(answer(200, ""));
    sent.await.unwrap().unwrap();
    let request = authorizing.await.unwrap().unwrap();
    assert_eq!(authorization(&request), Some("DPoP b"));
    assert_eq!(proof(&request).1["ath"], of_b);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_forgotten_while_the_signer_works_is_not_sent() {
    let (key, gate, _calls) = gated();
    let layer = layer(key);
    let (service, mut server) = mock_service(&layer);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    server.assert_no_request().await;
    layer.tokens().forget();
    gate.add_permits(10);
    server.issue_token(super::bound_token("b", 3600)).await;
    assert_eq!(server.next_authorization().await, Some("DPoP b".to_owned()));
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn dropping_the_request_drops_the_signature() {
    struct OnDrop(Arc<Notify>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let dropped = Arc::new(Notify::new());
    let notify = dropped.clone();
    let key = remote(signer_fn(move |_: Draft| {
        let guard = OnDrop(notify.clone());
        async move {
            let _guard = guard;
            pending().await
        }
    }));
    let (service, mut server) = mock_service(&layer(key));
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    server.assert_no_request().await;
    sent.abort();
    tokio::time::timeout(Duration::from_secs(1), dropped.notified()).await.unwrap();
}

/// A proof that is older than half a minute is made again, but only once: the inner service may always be slow.
#[tokio::test(start_paused = true)]
async fn a_proof_is_made_again_if_the_inner_service_was_not_ready_for_long() {
    for (wait, expected) in [(29, 1), (31, 2)] {
        let (key, gate, calls) = gated();
        let (mut service, mut server) = one_permit(&layer(key));
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        server.assert_no_request().await;
        // The signature is made while another service holds the only permit.
        let holder = service.ready().await.unwrap();
        gate.add_permits(10);
        pass(Duration::from_secs(wait)).await;
        *holder = holder.clone();
        assert_eq!(server.next_authorization().await, Some("DPoP a".to_owned()));
        sent.await.unwrap().unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), expected, "{wait}");
    }
}

/// A signer whose own requests go through the layer would wait for itself.
#[tokio::test(start_paused = true)]
async fn a_signer_that_needs_its_own_proof_is_a_recursion() {
    let handle: Arc<std::sync::OnceLock<Tokens>> = Arc::default();
    let inside = handle.clone();
    let key = remote(signer_fn(move |draft: Draft| {
        let tokens = inside.get().unwrap().clone();
        async move {
            tokens.authorize(&mut get("https://kms.example.com/")).await?;
            signed(draft)
        }
    }));
    let layer = layer(key);
    handle.set(layer.tokens()).unwrap();
    let (service, mut server) = mock_service(&layer);
    let error = ours(service.oneshot(get(API_URL)).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Recursion);
    server.assert_no_request().await;
}
