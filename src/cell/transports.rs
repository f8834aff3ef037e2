//! The transports for token requests that a handle or a rejection starts, without a service of the caller.

use std::sync::{Arc, OnceLock, Weak};

use crate::sync::{Mutex, lock};
use crate::transport::Transport;

/// The transport that was set on the layer, or the transports of its services.
#[derive(Default)]
pub(crate) struct Transports(Mutex<TransportList>);

#[derive(Default)]
struct TransportList {
    /// The transport of `token_service`.
    fixed: Option<Transport>,
    /// The transports of the services, the newest last. Weak, so that dropping a service closes its connections.
    services: Vec<Weak<Transport>>,
    /// The transports that many cells share. They are used if there is no other.
    shared: Option<Arc<Transports>>,
}

/// Holds the transport of a service for all of its clones. It is dropped with the last of them.
#[derive(Default)]
pub(crate) struct ServiceTransport(OnceLock<Arc<Transport>>);

impl ServiceTransport {
    #[inline]
    pub(crate) fn is_registered(&self) -> bool {
        self.0.get().is_some()
    }
}

impl Transports {
    /// Sets the transport of the layer. It is used instead of the services' transports.
    pub(crate) fn set_fixed(&self, transport: Transport) {
        let previous = lock(&self.0).fixed.replace(transport);
        drop(previous);
    }

    /// Adds the transport of a service, unless it is registered already.
    #[inline]
    pub(crate) fn register(&self, service: &ServiceTransport, transport: impl FnOnce() -> Transport) {
        if !service.is_registered() {
            let transport = Arc::new(transport());
            // Added before it counts as registered. If another thread has registered one meanwhile, this one is dropped.
            self.add(&transport);
            let _ = service.0.set(transport);
        }
    }

    /// Adds the transport of a service. It is used until the service is dropped.
    fn add(&self, transport: &Arc<Transport>) {
        let mut list = lock(&self.0);
        list.services.retain(|service| service.strong_count() > 0);
        list.services.push(Arc::downgrade(transport));
    }

    /// Sets the transports that many cells share.
    #[cfg(feature = "tenants")]
    pub(super) fn share(&self, shared: &Arc<Self>) {
        let previous = lock(&self.0).shared.replace(shared.clone());
        drop(previous);
    }

    /// Returns the transport of the layer, or the one of the newest service that was not dropped.
    pub(super) fn newest(&self) -> Option<Transport> {
        let (services, shared) = {
            let list = lock(&self.0);
            match &list.fixed {
                Some(transport) => return Some(transport.clone()),
                None => (list.services.clone(), list.shared.clone()),
            }
        };
        // The lock is released, because this may drop the last reference to a service.
        let newest = services.iter().rev().find_map(Weak::upgrade).map(|transport| Transport::clone(&transport));
        newest.or_else(|| shared?.newest())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::observe::WeakRecorder;
    use crate::transport::RequestLimits;

    /// Creates a transport that the test recognizes by its timeout.
    fn transport(seconds: u64) -> Transport {
        let unused = tower::service_fn(async |_| {
            Ok::<_, std::io::Error>(http::Response::new(http_body_util::Empty::<bytes::Bytes>::new()))
        });
        let limits = RequestLimits { timeout: Duration::from_secs(seconds), ..RequestLimits::default() };
        Transport::from_service(unused, http_body_util::Full::new).for_refresh_task(limits, WeakRecorder::none())
    }

    fn newest(transports: &Transports) -> Option<String> {
        transports.newest().map(|transport| format!("{transport:?}"))
    }

    #[test]
    fn the_newest_service_is_used_until_it_is_dropped_unless_the_layer_has_a_transport() {
        let transports = Transports::default();
        assert_eq!(newest(&transports), None);
        let [one, two] = [1, 2].map(|seconds| Arc::new(transport(seconds)));
        transports.add(&one);
        transports.add(&two);
        assert_eq!(newest(&transports), Some(format!("{two:?}")));
        drop(two);
        assert_eq!(newest(&transports), Some(format!("{one:?}")));
        drop(one);
        assert_eq!(newest(&transports), None, "the services are not kept alive");
        transports.set_fixed(transport(3));
        transports.add(&Arc::new(transport(4)));
        assert_eq!(newest(&transports), Some(format!("{:?}", transport(3))));
    }

    #[test]
    fn k14_services_that_were_dropped_leave_no_entry() {
        let transports = Transports::default();
        for _ in 0..100 {
            transports.add(&Arc::new(transport(1)));
        }
        assert_eq!(lock(&transports.0).services.len(), 1);
    }
}
