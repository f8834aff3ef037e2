//! `FollowRedirect`: it repeats a request wherever the answer points, so it must not carry our token or secret there.

use http::Method;
use http_body::Body;
use tower::Layer;
use tower_http::follow_redirect::FollowRedirect;
use tower_oauth2::ErrorKind;

use crate::conversations::{herd_is_served, outlives_failures};
use crate::support::{API, ELSEWHERE, Stack, TOKEN_URL, World, get, layer, ours};

const HERE: &str = "https://api.example.com/moved";
const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

#[tokio::test(start_paused = true)]
async fn a_herd_over_us() {
    let world = World::default();
    herd_is_served(&world, FollowRedirect::new(layer().layer(world.clone()))).await;
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_us() {
    let world = World::default();
    herd_is_served(&world, layer().layer(FollowRedirect::new(world.clone()))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_us() {
    let world = World::default();
    outlives_failures(&world, FollowRedirect::new(layer().layer(world.clone()))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_us() {
    let world = World::default();
    outlives_failures(&world, layer().layer(FollowRedirect::new(world.clone()))).await;
}

/// From the API to another origin and back: only the API sees the token, whatever the way.
async fn the_token_stays_at_home(world: &World, mut stack: impl Stack, comes_back_with: Option<&str>) {
    for status in STATUSES {
        world.script().moved = vec![(API, status, HERE), (HERE, status, ELSEWHERE)];
        get(&mut stack, API).await.unwrap();
        world.script().moved = vec![(API, status, ELSEWHERE), (ELSEWHERE, status, HERE)];
        get(&mut stack, API).await.unwrap();
    }
    let bearer = || Some("Bearer t1".to_owned());
    assert_eq!(world.authorizations(API), vec![bearer(); 10]);
    assert_eq!(world.authorizations(ELSEWHERE), vec![None; 10]);
    let back = comes_back_with.map(str::to_owned);
    assert_eq!(world.authorizations(HERE), [bearer(), back].iter().cloned().cycle().take(10).collect::<Vec<_>>());
}

/// Each step comes through our layer, which looks at where it goes.
#[tokio::test(start_paused = true)]
async fn an_api_that_redirects_over_us() {
    let world = World::default();
    let stack = FollowRedirect::new(layer().layer(world.clone()));
    the_token_stays_at_home(&world, stack, Some("Bearer t1")).await;
}

/// Below us the layer has the token in its hand. Its own policy drops it at the first step to another origin.
#[tokio::test(start_paused = true)]
async fn an_api_that_redirects_under_us() {
    let world = World::default();
    let stack = layer().layer(FollowRedirect::new(world.clone()));
    the_token_stays_at_home(&world, stack, None).await;
}

/// Over us there is nobody to follow it.
#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_redirects_over_us() {
    for status in STATUSES {
        let world = World::default();
        world.script().moved = vec![(TOKEN_URL, status, ELSEWHERE)];
        let error = get(&mut FollowRedirect::new(layer().layer(world.clone())), API).await.unwrap_err();
        assert_eq!(ours(&error).kind(), ErrorKind::Redirected);
        assert_eq!((world.token_calls(), world.seen(ELSEWHERE).len(), world.seen(API).len()), (1, 0, 0));
    }
}

/// A form that cannot be repeated comes back as the redirect that it is.
#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_wants_the_form_repeated_under_us() {
    for status in [307, 308] {
        let world = World::default();
        world.script().moved = vec![(TOKEN_URL, status, ELSEWHERE)];
        let error = get(&mut layer().layer(FollowRedirect::new(world.clone())), API).await.unwrap_err();
        assert_eq!(ours(&error).kind(), ErrorKind::Redirected);
        assert_eq!((world.token_calls(), world.seen(ELSEWHERE).len(), world.seen(API).len()), (1, 0, 0));
    }
}

/// The others become a `GET`, which the layer below follows: with neither the form nor the client's secret.
#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_points_elsewhere_under_us() {
    for status in [301, 302, 303] {
        let world = World::default();
        world.script().moved = vec![(TOKEN_URL, status, ELSEWHERE)];
        let _ = get(&mut layer().layer(FollowRedirect::new(world.clone())), API).await;
        assert!(world.seen(TOKEN_URL)[0].authorization.is_some());
        for seen in world.seen(ELSEWHERE) {
            assert_eq!((seen.method, seen.authorization), (Method::GET, None));
            assert_eq!(seen.body.size_hint().exact(), Some(0));
        }
    }
}

/// Token calls that go past the layer below: then no status is followed.
#[tokio::test(start_paused = true)]
async fn a_token_service_that_does_not_follow() {
    for status in STATUSES {
        let world = World::default();
        world.script().moved = vec![(TOKEN_URL, status, ELSEWHERE)];
        let mut stack = layer().token_service(world.clone()).layer(FollowRedirect::new(world.clone()));
        let error = get(&mut stack, API).await.unwrap_err();
        assert_eq!(ours(&error).kind(), ErrorKind::Redirected);
        assert_eq!((world.token_calls(), world.seen(ELSEWHERE).len(), world.seen(API).len()), (1, 0, 0));
    }
}
