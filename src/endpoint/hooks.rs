//! User functions that change requests and responses, for servers that deviate from the protocol.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

use crate::catch_panic::catch_panic;
use crate::error::{Error, ErrorKind};

type MapRequest = dyn Fn(Request<Bytes>) -> Request<Bytes> + Send + Sync;
type MapResponse = dyn Fn(Response<Bytes>) -> Response<Bytes> + Send + Sync;

/// The functions, in the order in which they were added.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    requests: Vec<Arc<MapRequest>>,
    responses: Vec<Arc<MapResponse>>,
}

impl Hooks {
    pub(super) fn add_request(&mut self, map: impl Fn(Request<Bytes>) -> Request<Bytes> + Send + Sync + 'static) {
        self.requests.push(Arc::new(map));
    }

    pub(super) fn add_response(&mut self, map: impl Fn(Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static) {
        self.responses.push(Arc::new(map));
    }

    /// Adds the functions of another endpoint.
    pub(super) fn extend(&mut self, other: &Self) {
        self.requests.extend(other.requests.iter().cloned());
        self.responses.extend(other.responses.iter().cloned());
    }

    /// Returns whether no function changes requests.
    pub(super) fn keep_requests(&self) -> bool {
        self.requests.is_empty()
    }

    pub(super) fn map_request(&self, request: Request<Bytes>) -> Result<Request<Bytes>, Error> {
        catch_panic(|| self.requests.iter().fold(request, |request, map| map(request)))
            .map_err(|_| Error::new(ErrorKind::Panicked, "in `map_request`"))
    }

    pub(super) fn map_response(&self, response: Response<Bytes>) -> Result<Response<Bytes>, Error> {
        let status = response.status();
        catch_panic(|| self.responses.iter().fold(response, |response, map| map(response)))
            .map_err(|_| Error::new(ErrorKind::Panicked, "in `map_response`").with_status(status))
    }
}

/// Prints only the number of functions, because a closure may contain a secret.
impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("requests", &self.requests.len())
            .field("responses", &self.responses.len())
            .finish()
    }
}
