//! Recognizes hosts that are not on the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

use crate::into_url::is_loopback;

/// Returns whether the host is a private, link-local, shared, unspecified or loopback address, or `localhost`. A name is not resolved.
pub(super) fn is_private(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => is_loopback(name),
        Host::Ipv4(ip) => is_private_v4(*ip),
        Host::Ipv6(ip) => is_private_v6(*ip),
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    // RFC 6598 §7: shared address space.
    let is_shared = a == 100 && (64..128).contains(&b);
    ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_broadcast() || a == 0 || is_shared
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    // `::ffff:a.b.c.d` and `::a.b.c.d` (RFC 4291 §2.5.5), `::ffff:0:a.b.c.d` (RFC 7915 §5), and the addresses of NAT64 (RFC 6052 §2.1,
    // RFC 8215 §5) and of 6to4 (RFC 3056 §2) can all reach an IPv4 host.
    let embedded = match ip.segments() {
        [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0, 0, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    };
    match (ip.to_canonical(), embedded) {
        (IpAddr::V4(ip), _) | (_, Some(ip)) => is_private_v4(ip),
        (IpAddr::V6(ip), None) => {
            ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[test]
    fn hosts_that_are_not_public() {
        for (host, private) in [
            ("auth.example.com", false),
            ("localhost.example.com", false),
            ("8.8.8.8", false),
            ("100.63.255.255", false),
            ("100.128.0.0", false),
            ("172.32.0.1", false),
            ("[2001:4860:4860::8888]", false),
            ("[::ffff:8.8.8.8]", false),
            ("[64:ff9b::808:808]", false),
            ("localhost", true),
            ("LOCALHOST.", true),
            ("api.localhost", true),
            ("127.0.0.1", true),
            ("127.1", true),
            ("2130706433", true),
            ("0x7f.1", true),
            ("0.0.0.0", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("192.168.1.1", true),
            ("169.254.169.254", true),
            ("100.64.0.1", true),
            ("255.255.255.255", true),
            ("[::1]", true),
            ("[::]", true),
            ("[fd00::1]", true),
            ("[fe80::1]", true),
            ("[::ffff:10.0.0.1]", true),
            ("[64:ff9b::a9fe:a9fe]", true),
            ("[2002:a00:1::]", true),
            ("[::10.0.0.1]", true),
            ("[::ffff:0:127.0.0.1]", true),
            ("[64:ff9b:1::10.0.0.1]", true),
            ("[2002:808:808::]", false),
            // Other spellings of the same hosts.
            ("127.0.0.1.", true),
            ("0300.0250.1.1", true),
            ("0xA9FEA9FE", true),
            ("①②⑦.0.0.1", true),
            ("ｌｏｃａｌｈｏｓｔ", true),
            ("%6cocalhost", true),
            ("[0:0:0:0:0:ffff:7f00:1]", true),
        ] {
            let url = Url::parse(&format!("https://{host}/token")).unwrap();
            assert_eq!(is_private(&url.host().unwrap()), private, "{host}");
        }
    }
}
