//! Who calls: the holder of the token, else an address. Pure.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::{HeaderMap, HeaderName};

use super::network::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// A subscriber has a whole /64 of IPv6, and could take another address of it for every request.
const SUBSCRIBER: u128 = u128::MAX << 64;

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// Everybody who presents the token.
    Token,
    /// Everybody at an address, or in a /64 of IPv6.
    Address(IpAddr),
}

/// The address at the other end of a connection; an extension of its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Caller {
    /// At this address.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & SUBSCRIBER)),
            address @ IpAddr::V4(_) => address,
        })
    }

    /// At the other end of the connection, or where a trusted proxy there says that the request came from.
    pub(crate) fn behind(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[Network]) -> Self {
        let is_trusted = |address| trusted_proxies.iter().any(|network| network.contains(address));
        let mut address = peer;
        // Each proxy adds the address that it saw at the end. Whatever stands before the first that is not trusted, anybody may have
        // written.
        let lines = headers.get_all(X_FORWARDED_FOR).iter();
        let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap_or("")).collect();
        let mut said = lines.iter().rev().flat_map(|line| line.rsplit(','));
        while is_trusted(address)
            && let Some(before) = said.next().and_then(|said| address_in(said.trim()))
        {
            address = before;
        }
        Self::at(address)
    }
}

/// An address, perhaps with a port.
fn address_in(said: &str) -> Option<IpAddr> {
    let bare = said.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(said);
    bare.parse().ok().or_else(|| Some(said.parse::<std::net::SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(peer: &str, said: &[&str], trusted: &[&str]) -> Caller {
        let mut headers = HeaderMap::new();
        for line in said {
            headers.append(X_FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        Caller::behind(peer.parse().unwrap(), &headers, &trusted)
    }

    fn at(address: &str) -> Caller {
        Caller::at(address.parse().unwrap())
    }

    #[test]
    fn nobody_is_believed_unless_trusted() {
        assert_eq!(behind("203.0.113.9", &["1.1.1.1"], &[]), at("203.0.113.9"));
        assert_eq!(behind("203.0.113.9", &["1.1.1.1"], &["10.0.0.0/8"]), at("203.0.113.9"));
    }

    #[test]
    fn the_last_address_that_no_trusted_proxy_has_is_the_caller() {
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        assert_eq!(behind("10.0.0.1", &["203.0.113.9"], &trusted), at("203.0.113.9"));
        assert_eq!(behind("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.2"], &trusted), at("203.0.113.9"));
        assert_eq!(behind("10.0.0.1", &["1.1.1.1", "203.0.113.9", "fd00::2"], &trusted), at("203.0.113.9"));
        assert_eq!(behind("10.0.0.1", &["203.0.113.9:4711"], &trusted), at("203.0.113.9"));
        assert_eq!(behind("10.0.0.1", &["[2001:db8::1]:4711"], &trusted), at("2001:db8::1"));
        assert_eq!(behind("10.0.0.1", &["[2001:db8::1]"], &trusted), at("2001:db8::1"));
        assert_eq!(behind("10.0.0.1", &[], &trusted), at("10.0.0.1"));
        assert_eq!(behind("10.0.0.1", &["unknown"], &trusted), at("10.0.0.1"));
        assert_eq!(behind("10.0.0.1", &["1.1.1.1, ü, 10.0.0.2"], &trusted), at("10.0.0.1"));
    }

    #[test]
    fn a_subscriber_has_one_bucket() {
        assert_eq!(at("2001:db8:0:1::1"), at("2001:db8:0:1:ffff::2"));
        assert_ne!(at("2001:db8:0:1::1"), at("2001:db8:0:2::1"));
        assert_eq!(at("::ffff:203.0.113.9"), at("203.0.113.9"));
        assert_ne!(at("203.0.113.9"), at("203.0.113.10"));
    }
}
