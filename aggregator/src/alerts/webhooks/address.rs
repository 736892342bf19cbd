//! Which addresses may be called. Pure.
//!
//! A name is resolved by us, every address of it is looked at here, and exactly these are connected to: whoever answers for the name cannot
//! first show an address of the internet and then lead to one inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether addresses inside of networks may be called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrivateAddresses {
    /// They may not.
    #[default]
    Refused,
    /// Those of this machine and of private networks may.
    Allowed,
}

/// Networks inside, of IPv4: this machine, private ones, and those that providers share.
const PRIVATE_V4: [(Ipv4Addr, u8); 5] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
];

/// What is nobody's address, or leads elsewhere: never called.
const UNUSABLE_V4: [(Ipv4Addr, u8); 9] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    // Link-local: a cloud's credentials are served at 169.254.169.254.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, reserved, broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Where clouds serve credentials outside of link-local addresses: Alibaba's and Azure's.
const METADATA_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16)];
/// The same of AWS and Google: the networks of which their services have addresses.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0)];

/// Parts of the addresses of the internet that are documentation, or lead to an IPv4 address of somebody's choice.
const UNUSABLE_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether this address may be called.
pub(super) fn is_allowed(address: IpAddr, private: PrivateAddresses) -> bool {
    match address {
        IpAddr::V4(address) => is_allowed_v4(address, private),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_allowed_v4(mapped, private),
            None => is_allowed_v6(address, private),
        },
    }
}

/// Whether this address is one inside: what is sent there need not be encrypted.
pub(super) fn is_private(address: IpAddr) -> bool {
    is_allowed(address, PrivateAddresses::Allowed) && !is_allowed(address, PrivateAddresses::Refused)
}

fn is_allowed_v4(address: Ipv4Addr, private: PrivateAddresses) -> bool {
    let is_in = |(network, length): &(Ipv4Addr, u8)| {
        let shift = 32 - u32::from(*length);
        address.to_bits() >> shift == network.to_bits() >> shift
    };
    if METADATA_V4.contains(&address) || UNUSABLE_V4.iter().any(is_in) {
        return false;
    }
    private == PrivateAddresses::Allowed || !PRIVATE_V4.iter().any(is_in)
}

fn is_allowed_v6(address: Ipv6Addr, private: PrivateAddresses) -> bool {
    let is_in = |network: Ipv6Addr, length: u32| {
        let shift = 128 - length;
        address.to_bits() >> shift == network.to_bits() >> shift
    };
    let is_metadata = METADATA_V6.iter().any(|network| is_in(*network, 32));
    if is_metadata || UNUSABLE_V6.iter().any(|(network, length)| is_in(*network, u32::from(*length))) {
        return false;
    }
    // Whatever is beside these, link-local and multicast addresses and those that stand for IPv4 among them, is not the internet.
    let is_private = address == Ipv6Addr::LOCALHOST || is_in(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7);
    is_in(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3) || (private == PrivateAddresses::Allowed && is_private)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str, private: PrivateAddresses) -> bool {
        is_allowed(text.parse().unwrap(), private)
    }

    #[test]
    fn addresses_of_the_internet_are_called() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00::1",
            "3ffe::1",
            "::ffff:1.1.1.1",
        ] {
            assert!(allowed(address, PrivateAddresses::Refused), "{address}");
            assert!(allowed(address, PrivateAddresses::Allowed), "{address}");
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn addresses_inside_are_called_only_where_that_is_asked_for() {
        for address in [
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.0",
            "192.168.255.255",
            "::1",
            "fc00::1",
            "fdff::1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:192.168.1.1",
        ] {
            assert!(!allowed(address, PrivateAddresses::Refused), "{address}");
            assert!(allowed(address, PrivateAddresses::Allowed), "{address}");
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_is_nobodys_address_or_serves_credentials_is_never_called() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "100.100.100.200",
            "168.63.129.16",
            "::",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
        ] {
            for private in [PrivateAddresses::Refused, PrivateAddresses::Allowed] {
                assert!(!allowed(address, private), "{address} {private:?}");
            }
        }
    }
}
