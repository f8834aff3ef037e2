//! Responses of JSON-RPC, as JSON or in a stream of events.

use http::{Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use tower::BoxError;

const MAX_SIZE: usize = 4 * 1024 * 1024;

/// Reads the body until the result of the request with this id.
pub(crate) async fn read_result(response: Response<Incoming>, id: u64) -> Result<Value, BoxError> {
    let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_stream = media_type.starts_with("text/event-stream");
    let mut body = Limited::new(response.into_body(), MAX_SIZE);
    if !is_stream {
        return result_of(serde_json::from_slice(&body.collect().await?.to_bytes())?);
    }
    // The server may keep the stream open.
    let mut events = Events::default();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            events.text.extend_from_slice(&data);
        }
        while let Some(event) = events.next() {
            // Other messages are notifications, and requests of the server, which this client does not support.
            let message: Value = serde_json::from_str(&event)?;
            if message["id"] == id && message.get("method").is_none() {
                return result_of(message);
            }
        }
    }
    Err("the stream of events ended without the response".into())
}

fn result_of(mut message: Value) -> Result<Value, BoxError> {
    match message.get("error") {
        Some(error) => Err(format!("the server reports an error: {error}").into()),
        None => Ok(message["result"].take()),
    }
}

/// The part of a stream that has been received and not been read.
#[derive(Default)]
struct Events {
    text: Vec<u8>,
}

impl Events {
    /// Removes the next complete event that has data, and returns the data.
    fn next(&mut self) -> Option<String> {
        loop {
            let end = self.text.windows(2).position(|pair| pair == b"\n\n").map(|at| (at, 2));
            let end =
                end.into_iter().chain(self.text.windows(4).position(|four| four == b"\r\n\r\n").map(|at| (at, 4)));
            let (at, separator) = end.min()?;
            let event: Vec<u8> = self.text.drain(..at + separator).collect();
            let event = String::from_utf8_lossy(&event);
            let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
            let data = data.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n");
            if !data.is_empty() {
                return Some(data);
            }
        }
    }
}
