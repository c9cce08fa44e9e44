//! Which addresses may be dialled, decided after the name was resolved.
//!
//! A provider's name that resolves to a private address is either a misconfiguration or an attack on the resolver; in
//! both cases the provider's key must not be sent there. The addresses that passed are the ones dialled: there is no second look-up.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Resolves names through the system and drops addresses that are not public.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GuardedResolver {
    /// Private addresses are meant: the upstream is on the operator's own network.
    pub(crate) private_network: bool,
}

/// Only ever the machine itself, by RFC 6761 §6.3.
fn is_loopback_name(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

// === impl GuardedResolver ===

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let private_network = self.private_network;
        Box::pin(async move {
            let host = name.as_str();
            // reqwest puts the port in afterwards.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            let allowed: Vec<SocketAddr> = if private_network || is_loopback_name(host) {
                found
            } else {
                found
                    .into_iter()
                    .filter(|addr| is_public(addr.ip()))
                    .collect()
            };
            if allowed.is_empty() {
                let message = format!(
                    "`{host}` resolves to no public address; set `private_network = true` if that is meant"
                );
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, message).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is globally reachable, by the IANA special-purpose registries (RFC 6890 and its updates).
///
/// Addresses that embed an IPv4 address (mapped, NAT64, 6to4) are judged by that address.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_unspecified()
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation()
        || a == 0
        // Carrier-grade NAT, 100.64.0.0/10.
        || (a == 100 && (64..128).contains(&b))
        // IETF protocol assignments, 192.0.0.0/24.
        || (a == 192 && b == 0 && c == 0)
        // 6to4 relay anycast, 192.88.99.0/24.
        || (a == 192 && b == 88 && c == 99)
        // Benchmarking, 198.18.0.0/15.
        || (a == 198 && (b == 18 || b == 19))
        // Reserved and broadcast, 240.0.0.0/4.
        || a >= 240;
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(inner) = embedded_v4(ip) {
        return is_public_v4(inner);
    }
    let segments = ip.segments();
    // Only 2000::/3 is allocated for global unicast; of that, without the documentation and protocol ranges.
    let global_unicast = segments[0] & 0xe000 == 0x2000;
    let documentation = segments[0] == 0x2001 && segments[1] == 0xdb8;
    let documentation_2024 = segments[0] == 0x3fff && segments[1] < 0x1000;
    // 2001::/23: Teredo, benchmarking, ORCHID.
    let protocol_assignments = segments[0] == 0x2001 && segments[1] < 0x200;
    global_unicast && !documentation && !documentation_2024 && !protocol_assignments
}

fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = ip.segments();
    let join = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        // ::ffff:a.b.c.d, and the deprecated ::a.b.c.d
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] if ip != Ipv6Addr::LOCALHOST => {
            Some(join(high, low))
        }
        // NAT64, 64:ff9b::/96
        [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        // 6to4, 2002::/16
        | [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_purpose_addresses_are_not_public() {
        let special = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:a00:1::",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for address in special {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn ordinary_addresses_are_public() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_on_this_machine_is_resolved_and_a_private_one_is_not() {
        let guarded = GuardedResolver {
            private_network: false,
        };
        let mut found = guarded.resolve("localhost".parse().unwrap()).await.unwrap();
        assert!(found.all(|addr| addr.ip().is_loopback()));
        // A name that the system resolver takes for a number: 127.1 is 127.0.0.1.
        let refused = guarded.resolve("127.1".parse().unwrap()).await;
        let message = refused.map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("no public address"), "{message}");
        let open = GuardedResolver {
            private_network: true,
        };
        assert!(open.resolve("127.1".parse().unwrap()).await.is_ok());
    }
}
