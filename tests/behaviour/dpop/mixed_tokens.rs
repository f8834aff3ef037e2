//! D21: Bearer tokens and bound tokens in one layer, and one key in two layers.

use tower::ServiceExt;
use tower_oauth2::{OAuth2Layer, Token};

use super::{bound, dpop, in_memory, proof, with_nonce};
use crate::support::{API_URL, answer, authorization, get, mock_service};

/// In real time, where requests with a Bearer token take the fast path.
#[tokio::test]
async fn d21_each_token_is_sent_by_its_own_type() {
    for key in [in_memory(), dpop(1)] {
        let layer = OAuth2Layer::new(bound(key.dangerous_allow_bearer()));
        let (service, mut server) = mock_service(&layer);
        let mut kept = service.clone();
        for token in [Token::bearer("b").unwrap(), Token::dpop("d").unwrap()].iter().cycle().take(6) {
            layer.tokens().set(token.clone());
            for _ in 0..3 {
                let sent = tokio::spawn(tower::Service::call(kept.ready().await.unwrap(), get(API_URL)));
                let (request, respond) = server.next().await;
                let expected = format!("{} {}", token.token_type(), token.access_token());
                assert_eq!(authorization(&request), Some(expected.as_str()));
                assert_eq!(request.headers().contains_key("dpop"), token.token_type() == "DPoP");
                respond.send_response(answer(200, ""));
                sent.await.unwrap().unwrap();
            }
        }
    }
}

/// The layers have the same key, and each has its own tokens and origins.
#[tokio::test(start_paused = true)]
async fn d6_two_layers_with_one_key_share_the_nonces_of_an_api() {
    let key = in_memory();
    for (token, expected) in [("a", None), ("b", Some("n1"))] {
        let layer = OAuth2Layer::new(bound(key.clone())).origin("https://api.example.com").unwrap();
        layer.tokens().set(Token::dpop(token).unwrap());
        let (service, mut server) = mock_service(&layer);
        let sent = tokio::spawn(service.oneshot(get(API_URL)));
        let (request, respond) = server.next().await;
        assert_eq!(authorization(&request), Some(format!("DPoP {token}").as_str()));
        assert_eq!(proof(&request).1.get("nonce").and_then(|nonce| nonce.as_str()), expected);
        respond.send_response(with_nonce(answer(200, ""), "n1"));
        sent.await.unwrap().unwrap();
    }
}
