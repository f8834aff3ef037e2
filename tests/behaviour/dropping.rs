//! Nothing outlives its users: with the last handle the cell goes, and the grant in it.

use std::sync::{Arc, Weak};

use tokio_test::task;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::transport::Transport;
use tower_oauth2::{OAuth2Layer, Token};

use crate::support::{API_URL, Body, answer, get};

/// A layer, and what lives as long as its grant.
fn watched() -> (OAuth2Layer<impl tower_oauth2::grant::Grant>, Weak<()>) {
    let life = Arc::new(());
    let watch = Arc::downgrade(&life);
    let grant = move |_: Option<Token>, http: Transport| {
        let _life = life.clone();
        async move {
            http.send(http::Request::new(bytes::Bytes::new())).await?;
            Token::bearer("a")
        }
    };
    (OAuth2Layer::new(grant), watch)
}

#[tokio::test]
async fn an_idle_cell_goes_with_its_last_handle() {
    let (layer, watch) = watched();
    let inner = service_fn(async |_: http::Request<Body>| Ok::<_, std::io::Error>(answer(200, "")));
    let service = layer.layer(inner);
    let (tokens, changes) = (layer.tokens(), layer.tokens().changes());
    service.oneshot(get(API_URL)).await.unwrap();
    drop(layer);
    assert!(watch.upgrade().is_some(), "the handle keeps it");
    drop(tokens);
    assert!(watch.upgrade().is_none(), "nothing keeps it");
    assert!(changes.has_changed().is_err(), "and those who follow the token are told");
}

/// A token call that nobody drives stays in the cell; it must not keep the cell.
#[test]
fn a_call_that_all_have_left_goes_with_the_cell() {
    let (layer, watch) = watched();
    let inner = service_fn(async |_: http::Request<Body>| {
        std::future::pending::<std::io::Result<http::Response<Body>>>().await
    });
    let mut service = layer.layer(inner);
    assert!(task::spawn(service.ready()).poll().is_pending());
    drop((service, layer));
    assert!(watch.upgrade().is_none(), "nothing keeps it");
}
