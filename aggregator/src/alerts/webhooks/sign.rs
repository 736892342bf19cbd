//! The signature of a call: whoever knows the secret can tell that the body is ours, and when it was sent. Pure.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2_of_hmac::Sha256;

/// HMAC-SHA256 over the time as Unix seconds, a full stop and the body, as `v1=` and hexadecimal digits.
pub fn signature(secret: &[u8], timestamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of HMAC has any length");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let digits = mac.finalize().into_bytes().iter().fold(String::with_capacity(64), |mut digits, byte| {
        for half in [byte >> 4, byte & 0x0f] {
            digits.push(char::from_digit(half.into(), 16).unwrap_or('0'));
        }
        digits
    });
    format!("v1={digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python: `hmac.new(b"sixteen bytes or more", b"1790000000.{\"type\":\"alert.raised\"}", "sha256").hexdigest()`.
    #[test]
    fn a_known_call_has_the_signature_that_others_compute() {
        let signed = signature(b"sixteen bytes or more", 1_790_000_000, br#"{"type":"alert.raised"}"#);
        assert_eq!(signed, "v1=57659a507a6960e30b2acf94b2764495e0aed3ac82852795db1ee0d7b7d1aaa8");
    }
}
