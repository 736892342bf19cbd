//! Unpacks gzip and zstd a piece at a time, so that whoever reads decides after each piece whether to go on. Sync, no IO.
//!
//! What a body becomes is limited where it is read ([`super::body`]). Here are the limits of what it costs to unpack it: the memory of
//! a zstd window, which a few bytes can ask for, and the number of parts, since a part of twenty bytes may hold nothing. A limit
//! of the ratio is deliberately absent: thousands of like spans shrink to a thousandth, and the size of what comes out bounds a bomb already.

use std::fmt;
use std::io::{self, Write as _};

use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use bytes::{Buf as _, Bytes};
use flate2::write::GzDecoder;
use zstd::stream::raw::{Decoder, InBuffer, Operation as _, OutBuffer};
use zstd::zstd_safe::DParameter;

/// What a piece has about; gzip's may be somewhat larger.
const PIECE_BYTES: usize = 64 << 10;
/// Logarithm of the largest window that HTTP allows zstd (RFC 9659): 8 MiB.
const WINDOW_LOG: u32 = 23;
/// What unpacking gzip takes: its window and tables.
const GZIP_BYTES: usize = 128 << 10;
/// What unpacking zstd takes at most: its window, and tables and buffers beside it.
pub(super) const ZSTD_BYTES: usize = (1 << WINDOW_LOG) + (512 << 10);
/// Most parts (members of gzip, frames of zstd) one after the other. Tools that pack in parallel make one for each few KiB.
const MOST_PARTS: usize = 10_000;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Not at all.
    None,
    /// `gzip`
    Gzip,
    /// `zstd`
    Zstd,
}

/// A `content-encoding` that is not read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("content-encoding {sent:?} is not supported; send gzip, zstd or the body as it is")]
pub(crate) struct UnknownPacking {
    sent: String,
}

/// A body that cannot be unpacked; sent again it is none either.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// Not what its header says, or damaged, or with a window that is too large.
    #[error("the body cannot be unpacked as {packing}: {source}")]
    Damaged {
        /// What it should be.
        packing: Packing,
        /// What the library says.
        source: io::Error,
    },
    /// Its end is missing, or says that something before it is wrong.
    #[error("the body is not whole: its {packing} ends too early, or has another checksum")]
    NotWhole {
        /// What it should be.
        packing: Packing,
    },
    /// Work without an end.
    #[error("the body is packed in more than {MOST_PARTS} parts; pack it as one")]
    TooManyParts,
}

/// Unpacks one body.
pub(crate) struct Unpacker {
    parts: usize,
    format: Format,
}

#[expect(clippy::large_enum_variant, reason = "one for each body under way, which takes far more")]
enum Format {
    /// A member that has begun; none before the first byte and between two.
    Gzip(Option<GzDecoder<Vec<u8>>>),
    Zstd {
        decoder: Decoder<'static>,
        /// Whether the last byte was the end of a frame.
        is_at_end: bool,
    },
}

impl Packing {
    /// What the header says.
    ///
    /// # Errors
    /// When it names anything else, or several packings on top of each other.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, UnknownPacking> {
        let mut sent = headers.get_all(CONTENT_ENCODING).iter();
        let (first, second) = (sent.next(), sent.next());
        let name = first.map_or(Some(""), |value| value.to_str().ok()).map(|name| name.trim().to_ascii_lowercase());
        match (name.as_deref(), second) {
            (Some("" | "identity"), None) => Ok(Self::None),
            (Some("gzip" | "x-gzip"), None) => Ok(Self::Gzip),
            (Some("zstd"), None) => Ok(Self::Zstd),
            _ => {
                let values = headers.get_all(CONTENT_ENCODING).iter();
                let names: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
                Err(UnknownPacking { sent: super::item::excerpt(&names.join(", "), 100) })
            }
        }
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "plain bytes",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

impl Unpacker {
    /// For a body; none when there is nothing to unpack.
    ///
    /// # Errors
    /// When there is no memory.
    pub(crate) fn new(packing: Packing) -> Result<Option<Self>, UnpackError> {
        let format = match packing {
            Packing::None => return Ok(None),
            Packing::Gzip => Format::Gzip(None),
            Packing::Zstd => {
                let decoder = zstd_decoder().map_err(|source| UnpackError::Damaged { packing, source })?;
                Format::Zstd { decoder, is_at_end: true }
            }
        };
        Ok(Some(Self { parts: 0, format }))
    }

    /// Bytes of memory that this takes, at most.
    pub(crate) fn held_bytes(&self) -> usize {
        match self.format {
            Format::Gzip(_) => GZIP_BYTES,
            Format::Zstd { .. } => ZSTD_BYTES,
        }
    }

    /// The next piece, perhaps an empty one; what it was made of is taken from `packed`. Call it until `packed` is empty.
    ///
    /// # Errors
    /// When that is damaged, or there are too many parts.
    pub(crate) fn next_piece(&mut self, packed: &mut Bytes) -> Result<Vec<u8>, UnpackError> {
        match &mut self.format {
            Format::Gzip(member) => {
                self.parts += usize::from(member.is_none() && !packed.is_empty());
                let piece = gzip_piece(member, packed).map_err(|source| damaged(Packing::Gzip, source))?;
                self.check_parts()?;
                Ok(piece)
            }
            Format::Zstd { decoder, is_at_end } => {
                let mut piece = Vec::with_capacity(PIECE_BYTES);
                let mut input = InBuffer::around(packed);
                let wanted = decoder
                    .run(&mut input, &mut OutBuffer::around(&mut piece))
                    .map_err(|source| damaged(Packing::Zstd, source))?;
                let read = input.pos();
                packed.advance(read);
                *is_at_end = wanted == 0;
                self.parts += usize::from(wanted == 0);
                self.check_parts()?;
                Ok(piece)
            }
        }
    }

    /// What is left when the body has ended, piece by piece until none is left.
    ///
    /// # Errors
    /// When the body is not whole.
    pub(crate) fn last_piece(&mut self) -> Result<Vec<u8>, UnpackError> {
        match &mut self.format {
            Format::Gzip(None) | Format::Zstd { is_at_end: true, .. } => Ok(Vec::new()),
            Format::Gzip(member @ Some(_)) => {
                let mut decoder = member.take().expect("matched");
                let not_whole = |_| UnpackError::NotWhole { packing: Packing::Gzip };
                decoder.try_finish().map_err(not_whole)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Format::Zstd { .. } => {
                let piece = self.next_piece(&mut Bytes::new())?;
                let is_at_end = matches!(self.format, Format::Zstd { is_at_end: true, .. });
                if piece.is_empty() && !is_at_end {
                    return Err(UnpackError::NotWhole { packing: Packing::Zstd });
                }
                Ok(piece)
            }
        }
    }

    fn check_parts(&self) -> Result<(), UnpackError> {
        if self.parts > MOST_PARTS { Err(UnpackError::TooManyParts) } else { Ok(()) }
    }
}

fn zstd_decoder() -> io::Result<Decoder<'static>> {
    let mut decoder = Decoder::new()?;
    decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
    Ok(decoder)
}

/// One step within a member, which is none afterwards when it has ended.
fn gzip_piece(member: &mut Option<GzDecoder<Vec<u8>>>, packed: &mut Bytes) -> io::Result<Vec<u8>> {
    if packed.is_empty() {
        return Ok(Vec::new());
    }
    let decoder = member.get_or_insert_with(|| GzDecoder::new(Vec::new()));
    let read = decoder.write(packed)?;
    packed.advance(read);
    if read == 0 {
        // The decoder takes nothing beyond the end of its member.
        decoder.try_finish()?;
        let piece = std::mem::take(decoder.get_mut());
        *member = None;
        return Ok(piece);
    }
    Ok(std::mem::take(decoder.get_mut()))
}

fn damaged(packing: Packing, source: io::Error) -> UnpackError {
    UnpackError::Damaged { packing, source }
}

#[cfg(test)]
mod tests;
