//! Opens the sockets for the redirect (RFC 8252 §7.3, §8.3), on the loopback interface only.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::error::{Error, ErrorKind};

/// The number of attempts to find a port that is free in both address families.
const TRIES: usize = 16;

/// Sockets that listen on one port.
#[derive(Debug)]
pub(super) struct Sockets<L> {
    pub(super) listeners: Vec<L>,
    /// The host of the redirect URI.
    pub(super) host: &'static str,
    pub(super) port: u16,
}

/// Listens on the first free port of `ports`, or on any free port if `ports` is empty. `listen` returns a listener and its port.
pub(super) fn open<L>(
    ports: &[u16],
    localhost: bool,
    mut listen: impl FnMut(SocketAddr) -> io::Result<(L, u16)>,
) -> Result<Sockets<L>, Error> {
    let mut last = None;
    for port in if ports.is_empty() { &[0] } else { ports } {
        match open_port(*port, localhost, &mut listen) {
            Ok(sockets) => return Ok(sockets),
            Err(error) => last = Some(error),
        }
    }
    let what = match ports {
        [] => "cannot listen on any port of this machine".to_owned(),
        ports => {
            format!("cannot listen on any of the ports {ports:?}; another program or another login may use them")
        }
    };
    let error = Error::new(ErrorKind::Loopback, what);
    Err(match last {
        Some(cause) => error.with_source(cause),
        None => error,
    })
}

/// Listens on one port, in one address family or both. If a port is free in one family only, another program uses it in the other.
fn open_port<L>(
    port: u16,
    localhost: bool,
    listen: &mut impl FnMut(SocketAddr) -> io::Result<(L, u16)>,
) -> io::Result<Sockets<L>> {
    let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    let host = |address| if localhost { "localhost" } else { address };
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..if port == 0 && localhost { TRIES } else { 1 } {
        let (first, port) = match listen((v4, port).into()) {
            Ok(listener) => listener,
            Err(error) if is_taken(&error) => return Err(error),
            // A machine without IPv4.
            Err(error) => {
                let (listener, port) = listen((v6, port).into()).map_err(|_| error)?;
                return Ok(Sockets { listeners: vec![listener], host: host("[::1]"), port });
            }
        };
        if !localhost {
            return Ok(Sockets { listeners: vec![first], host: host("127.0.0.1"), port });
        }
        match listen((v6, port).into()) {
            Ok((second, _)) => return Ok(Sockets { listeners: vec![first, second], host: host("[::1]"), port }),
            Err(error) if is_taken(&error) => last = error,
            // A machine without IPv6.
            Err(_) => return Ok(Sockets { listeners: vec![first], host: host("127.0.0.1"), port }),
        }
    }
    Err(last)
}

/// Returns whether the port is in use or not permitted. Other errors mean that the machine lacks the address family.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with these address families, and these ports in use.
    fn machine(
        v4: bool,
        v6: bool,
        taken: &'static [SocketAddr],
    ) -> impl FnMut(SocketAddr) -> io::Result<(SocketAddr, u16)> {
        let mut free = 5000;
        move |address| {
            let has_family = if address.is_ipv4() { v4 } else { v6 };
            if !has_family {
                return Err(io::ErrorKind::AddrNotAvailable.into());
            }
            if taken.contains(&address) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            free += 1;
            let port = if address.port() == 0 { free } else { address.port() };
            Ok((SocketAddr::new(address.ip(), port), port))
        }
    }

    fn opened(
        ports: &[u16],
        localhost: bool,
        listen: impl FnMut(SocketAddr) -> io::Result<(SocketAddr, u16)>,
    ) -> String {
        match open(ports, localhost, listen) {
            Ok(Sockets { listeners, host, port }) => format!("{host}:{port} on {listeners:?}"),
            Err(error) => format!("{:?}", error.kind()),
        }
    }

    const V4_TAKEN: &[SocketAddr] = &[SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1)];
    const V6_TAKEN: &[SocketAddr] = &[SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::LOCALHOST), 1)];

    #[test]
    fn a_machine_with_one_address_family_has_a_loopback_address() {
        for (v4, v6, localhost, expected) in [
            (true, true, false, "127.0.0.1:1 on [127.0.0.1:1]"),
            (true, false, false, "127.0.0.1:1 on [127.0.0.1:1]"),
            (false, true, false, "[::1]:1 on [[::1]:1]"),
            (false, false, false, "Loopback"),
            (true, true, true, "localhost:1 on [127.0.0.1:1, [::1]:1]"),
            (true, false, true, "localhost:1 on [127.0.0.1:1]"),
            (false, true, true, "localhost:1 on [[::1]:1]"),
            (false, false, true, "Loopback"),
        ] {
            assert_eq!(opened(&[1], localhost, machine(v4, v6, &[])), expected, "{v4} {v6} {localhost}");
        }
        assert_eq!(opened(&[], false, machine(false, true, &[])), "[::1]:5001 on [[::1]:5001]");
    }

    /// Another program could receive the redirect on the port of the other family.
    #[test]
    fn a_port_in_use_is_not_tried_in_the_other_family() {
        assert_eq!(opened(&[1], false, machine(true, true, V4_TAKEN)), "Loopback");
        assert_eq!(opened(&[1], true, machine(true, true, V4_TAKEN)), "Loopback");
        assert_eq!(opened(&[1], true, machine(true, true, V6_TAKEN)), "Loopback");
        assert_eq!(opened(&[1, 2], true, machine(true, true, V6_TAKEN)), "localhost:2 on [127.0.0.1:2, [::1]:2]");
        assert_eq!(opened(&[1, 0], false, machine(true, true, V4_TAKEN)), "127.0.0.1:5001 on [127.0.0.1:5001]");
    }

    #[test]
    fn the_error_names_the_ports_and_the_cause() {
        let error = open(&[1], false, machine(true, true, V4_TAKEN)).unwrap_err();
        assert!(error.to_string().contains("[1]"), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }
}
