//! What is packed comes back whole in any pieces, and what is hostile ends early.

use std::io::Write as _;

use proptest::prelude::*;

use super::*;
use crate::fixture::gzip;

/// Unpacks a body that arrives in pieces of this size, up to so many bytes.
fn unpack(packing: Packing, packed: &[u8], arriving: usize, most: usize) -> Result<Vec<u8>, UnpackError> {
    let mut unpacker = Unpacker::new(packing)?.unwrap();
    let mut whole = Vec::new();
    for piece in packed.chunks(arriving) {
        let mut piece = Bytes::copy_from_slice(piece);
        while !piece.is_empty() {
            let unpacked = unpacker.next_piece(&mut piece)?;
            assert!(unpacked.len() <= 4 * PIECE_BYTES, "{} bytes in one piece", unpacked.len());
            whole.extend_from_slice(&unpacked);
            if whole.len() > most {
                return Ok(whole);
            }
        }
    }
    loop {
        let last = unpacker.last_piece()?;
        if last.is_empty() {
            return Ok(whole);
        }
        whole.extend_from_slice(&last);
    }
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

#[test]
fn parts_one_after_the_other_are_one_text() {
    let lines = "{\"model\":\"m\"}\n".repeat(20_000);
    let (first, second) = lines.as_bytes().split_at(100_003);
    for arriving in [1, 7, 4096, 1 << 20] {
        let packed = [gzip(first), gzip(b""), gzip(second)].concat();
        assert_eq!(unpack(Packing::Gzip, &packed, arriving, 1 << 20).unwrap(), lines.as_bytes());
        let packed = [zstd(first), zstd(b""), zstd(second)].concat();
        assert_eq!(unpack(Packing::Zstd, &packed, arriving, 1 << 20).unwrap(), lines.as_bytes());
    }
    for packing in [Packing::Gzip, Packing::Zstd] {
        assert_eq!(unpack(packing, b"", 1, 1).unwrap(), b"", "an empty body is empty");
    }
}

#[test]
fn what_is_cut_off_or_something_else_is_an_error() {
    let text = b"{\"model\":\"m\"}".repeat(1000);
    for (packing, packed) in [(Packing::Gzip, gzip(&text)), (Packing::Zstd, zstd(&text))] {
        for end in [1, 5, packed.len() / 2, packed.len() - 1] {
            let error = unpack(packing, &packed[..end], 1000, 1 << 20).unwrap_err();
            assert!(matches!(error, UnpackError::NotWhole { .. }), "{packing} up to {end}: {error}");
        }
        let error = unpack(packing, b"[{\"model\":\"not packed\"}]", 1000, 1 << 20).unwrap_err();
        assert!(matches!(error, UnpackError::Damaged { .. }), "{error}");
        let behind = [packed.as_slice(), b"something else that is long enough"].concat();
        assert!(unpack(packing, &behind, 1000, 1 << 20).is_err());
        let mut damaged = packed.clone();
        let last = damaged.len() - 6;
        damaged[last] ^= 0xff;
        assert!(packing == Packing::Zstd || unpack(packing, &damaged, 1000, 1 << 20).is_err(), "its checksum is wrong");
    }
}

#[test]
fn a_frame_that_asks_for_a_huge_window_is_refused() {
    for (log, is_taken) in [(23, true), (24, false), (27, false)] {
        let mut packer = zstd::Encoder::new(Vec::new(), 1).unwrap();
        packer.window_log(log).unwrap();
        packer.write_all(&vec![b'x'; 100_000]).unwrap();
        let packed = packer.finish().unwrap();
        assert_eq!(unpack(Packing::Zstd, &packed, 4096, 1 << 20).is_ok(), is_taken, "2^{log} bytes");
    }
}

#[test]
fn parts_without_end_are_not_unpacked() {
    for (packing, part) in [(Packing::Gzip, gzip(b"")), (Packing::Zstd, zstd(b""))] {
        let most = part.repeat(MOST_PARTS);
        assert_eq!(unpack(packing, &most, 1 << 16, 1).unwrap(), b"");
        let error = unpack(packing, &[most, part].concat(), 1 << 16, 1).unwrap_err();
        assert!(matches!(error, UnpackError::TooManyParts), "{packing}: {error}");
    }
}

#[test]
fn packings_on_top_of_each_other_and_others_are_refused_by_name() {
    let of = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, value.parse().unwrap());
        }
        Packing::of(&headers)
    };
    assert_eq!(of(&[]), Ok(Packing::None));
    assert_eq!(of(&["identity"]), Ok(Packing::None));
    assert_eq!((of(&["GZip"]), of(&["zstd"])), (Ok(Packing::Gzip), Ok(Packing::Zstd)));
    for values in [&["br"][..], &["gzip, gzip"], &["gzip", "gzip"], &["zstd", "identity"], &[&"x".repeat(5000)]] {
        let error = of(values).unwrap_err().to_string();
        assert!(error.contains(&values[0][..2]) && error.len() < 300, "{error}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_unpacked_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), arriving in 1_usize..50) {
        for (packing, packed) in [(Packing::Gzip, gzip(&bytes)), (Packing::Zstd, zstd(&bytes))] {
            unpack(packing, &bytes, arriving, 1 << 20).ok();
            prop_assert_eq!(unpack(packing, &packed, arriving, 1 << 20).unwrap(), bytes.clone());
        }
    }
}
