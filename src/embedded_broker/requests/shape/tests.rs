//! Builds requests from their shapes, so that the shapes can be compared with the decoder's idea of them.

use super::super::hostile::decode;
use super::*;

/// What a built request is filled with.
#[derive(Clone, Copy)]
pub(in crate::embedded_broker) struct Filling<'a> {
    pub(in crate::embedded_broker) text: &'a str,
    pub(in crate::embedded_broker) blob: &'a [u8],
    /// Last byte of every number; the others are 0.
    pub(in crate::embedded_broker) number: u8,
    /// Length of every array.
    pub(in crate::embedded_broker) n_elements: u8,
}

/// A request under construction.
struct Builder<'a> {
    bytes: Vec<u8>,
    /// Where counts stand.
    counts: Vec<usize>,
    is_flexible: bool,
    version: i16,
    filling: Filling<'a>,
}

impl Builder<'_> {
    fn length(&mut self, length: usize, n_bytes: usize) {
        if !self.is_flexible {
            self.bytes.extend_from_slice(&length.to_be_bytes()[8 - n_bytes..]);
            return;
        }
        let mut value = length + 1;
        while value >= 0x80 {
            self.bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        self.bytes.push(u8::try_from(value).unwrap());
    }

    fn count(&mut self) -> u8 {
        self.counts.push(self.bytes.len());
        self.length(self.filling.n_elements.into(), 4);
        self.filling.n_elements
    }

    fn structure(&mut self, fields: &[Field]) {
        for field in fields {
            self.field(field);
        }
        if self.is_flexible {
            // One tagged field that nobody knows: 99, of two bytes.
            self.bytes.extend_from_slice(&[1, 99, 2, 0xab, 0xcd]);
        }
    }

    fn field(&mut self, field: &Field) {
        match field {
            Fixed(n_bytes) => {
                let numbers: &[usize] = match n_bytes {
                    6 => &[2, 4],
                    5 => &[4, 1],
                    12 => &[4, 8],
                    17 => &[4, 4, 4, 4, 1],
                    10 => &[8, 2],
                    n_bytes => &[*n_bytes],
                };
                for n_bytes in numbers {
                    self.bytes.resize(self.bytes.len() + n_bytes - 1, 0);
                    self.bytes.push(self.filling.number);
                }
            }
            Text => {
                self.length(self.filling.text.len(), 2);
                self.bytes.extend_from_slice(self.filling.text.as_bytes());
            }
            Blob => {
                self.length(self.filling.blob.len(), 4);
                self.bytes.extend_from_slice(self.filling.blob);
            }
            List(value) => (0..self.count()).for_each(|_| self.field(value)),
            Structs(fields) => (0..self.count()).for_each(|_| self.structure(fields)),
            From(version, field) if self.version >= *version => self.field(field),
            UpTo(version, field) if self.version <= *version => self.field(field),
            From(..) | UpTo(..) => {}
        }
    }
}

/// A request of this kind and version, and where in it counts stand.
pub(in crate::embedded_broker) fn build(kind: &Kind, version: i16, filling: Filling<'_>) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = (kind.key as i16).to_be_bytes().to_vec();
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 7, 0, 4]);
    bytes.extend_from_slice(b"test");
    let is_flexible = version >= kind.flexible_from;
    let mut builder = Builder { bytes, counts: Vec::new(), is_flexible, version, filling };
    builder.structure(&[]);
    builder.structure(kind.fields);
    (builder.bytes, builder.counts)
}

/// All kinds in all their versions.
pub(in crate::embedded_broker) fn every_version() -> impl Iterator<Item = (&'static Kind, i16)> {
    SUPPORTED.iter().flat_map(|kind| (kind.lowest..=kind.highest).map(move |version| (kind, version)))
}

/// Would a shape lack a count, the decoder would take one of these bytes for it and not end where the shape ends.
#[test]
fn the_shapes_are_what_the_decoder_expects() {
    for (kind, version) in every_version() {
        for (n_elements, number, text) in [(0, 0, ""), (1, 0, "x"), (2, 1, "abc"), (3, 5, "a longer text")] {
            let (request, _) = build(kind, version, Filling { text, blob: b"bytes", number, n_elements });
            assert_eq!(kind.check(version, &request), Ok(()), "{:?} {version}", kind.key);
            assert_eq!(decode(kind, version, &request).unwrap(), 0, "{:?} {version}", kind.key);
        }
    }
}

#[test]
fn a_request_that_claims_more_than_it_holds_is_never_decoded() {
    for (kind, version) in every_version() {
        let (request, counts) = build(kind, version, Filling { text: "abc", blob: b"", number: 1, n_elements: 2 });
        for at in counts {
            let mut hostile = request[..at].to_vec();
            if version >= kind.flexible_from {
                hostile.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x07]);
                hostile.extend_from_slice(&request[at + 1..]);
            } else {
                hostile.extend_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
                hostile.extend_from_slice(&request[at + 4..]);
            }
            assert_eq!(kind.check(version, &hostile), Err(ShapeError::TooMany), "{:?} {version} at {at}", kind.key);
        }
        for cut in 0..request.len() {
            assert_eq!(kind.check(version, &request[..cut]), Err(ShapeError::Short), "{:?} {version}", kind.key);
        }
    }
}

#[test]
fn tiny_elements_cannot_add_up_to_a_large_structure() {
    let kind = SUPPORTED.iter().find(|kind| kind.key == ApiKey::DeleteGroups).unwrap();
    let names = |n: u32| {
        let header = [0, 42, 0, 1, 0, 0, 0, 7, 0xff, 0xff];
        [&header[..], &n.to_be_bytes(), &vec![0; n as usize * 2]].concat()
    };
    assert_eq!(kind.check(1, &names(20_000)), Ok(()));
    assert_eq!(kind.check(1, &names(20_001)), Err(ShapeError::TooMany));
}
