//! Without the feature `decompression`, a compressed response is an error that names the feature.

use http::Response;
use tower::service_fn;
use tower_oauth2::ErrorKind;
use tower_oauth2::grant::{Context, Grant as _};
use tower_oauth2::transport::Transport;

use crate::support::{Body, grant};

#[tokio::test]
async fn the_error_names_the_coding_and_the_feature() {
    for (written, named) in
        [("gzip", "`gzip`"), ("X-GZIP", "`gzip`"), ("deflate", "`deflate`"), ("br", "`br`"), ("zstd", "`zstd`")]
    {
        let http = Transport::new(service_fn(move |_: http::Request<Body>| async move {
            Response::builder().status(400).header("content-encoding", written).body(Body::from("\u{1f}"))
        }));
        let error = grant().obtain(Context::new(http)).await.unwrap_err();
        assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Malformed, 400));
        let text = error.to_string();
        assert!(text.contains(named) && text.contains("`decompression`"), "{text}");
    }
}

#[tokio::test]
async fn an_empty_body_and_identity_need_no_decoder() {
    for (coding, body) in [("identity", r#"{"access_token": "a"}"#), ("gzip", "")] {
        let http = Transport::new(service_fn(move |_: http::Request<Body>| async move {
            Response::builder().header("content-encoding", coding).body(Body::from(body))
        }));
        let outcome = grant().obtain(Context::new(http)).await;
        assert_eq!(outcome.is_ok(), !body.is_empty(), "{outcome:?}");
    }
}
