//! The primitives of Avro's binary encoding, read from a record that anybody may have written.

/// Why the bytes of a record are not what its schema says. The text never repeats them: they may be a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The record ends within a value.
    #[error("the record is cut short")]
    CutShort,
    /// More bytes, or more bits, than an integer has.
    #[error("the integer is longer than 64 bits")]
    LongInteger,
    /// An `int` beyond 32 bits.
    #[error("the integer does not fit into 32 bits")]
    LargeInteger,
    /// A length below zero.
    #[error("the length is negative")]
    NegativeLength,
    /// Neither null nor the value.
    #[error("the union has no branch {branch}")]
    UnknownBranch {
        /// What the record says.
        branch: i64,
    },
    /// A branch of a union, or a null, that our field has no place for.
    #[error("the value is of a type that the field does not take")]
    Unsuitable,
    /// A truth value besides 0 and 1.
    #[error("the boolean is {byte}, not 0 or 1")]
    NotBoolean {
        /// What the record says.
        byte: u8,
    },
}

/// Bytes of an id.
pub(crate) const ID_LENGTH: usize = 16;

/// What is left of a record.
pub struct Datum<'a> {
    rest: &'a [u8],
}

impl<'a> Datum<'a> {
    /// A record behind its frame.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes that nothing has read.
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Fault::CutShort)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, Fault> {
        let (byte, rest) = self.rest.split_first().ok_or(Fault::CutShort)?;
        self.rest = rest;
        Ok(*byte)
    }

    /// Zig-zag variable-length integer.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    #[inline]
    pub fn long(&mut self) -> Result<i64, Fault> {
        let first = self.byte()?;
        let bits = if first < 0x80 { u64::from(first) } else { self.long_bits(first)? };
        Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed())
    }

    fn long_bits(&mut self, first: u8) -> Result<u64, Fault> {
        let mut bits = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if (part << shift) >> shift != part {
                return Err(Fault::LongInteger);
            }
            bits |= part << shift;
            if byte < 0x80 {
                return Ok(bits);
            }
        }
        Err(Fault::LongInteger)
    }

    /// The same within 32 bits.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    #[inline]
    pub fn int(&mut self) -> Result<i32, Fault> {
        i32::try_from(self.long()?).map_err(|_| Fault::LargeInteger)
    }

    #[inline]
    pub(crate) fn double(&mut self) -> Result<f64, Fault> {
        let bytes = self.bytes(8)?.try_into().map_err(|_| Fault::CutShort)?;
        Ok(f64::from_le_bytes(bytes))
    }

    pub(crate) fn float(&mut self) -> Result<f32, Fault> {
        let bytes = self.bytes(4)?.try_into().map_err(|_| Fault::CutShort)?;
        Ok(f32::from_le_bytes(bytes))
    }

    #[inline]
    pub(crate) fn boolean(&mut self) -> Result<bool, Fault> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            byte => Err(Fault::NotBoolean { byte }),
        }
    }

    /// The bytes of a text, which may be of any encoding.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    #[inline]
    pub fn text(&mut self) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(self.long()?).map_err(|_| Fault::NegativeLength)?;
        self.bytes(length)
    }

    /// Whether the value of `["null", T]` follows.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    #[inline]
    pub fn is_present(&mut self) -> Result<bool, Fault> {
        // Both as the encoding writes them; a longer way to write them is allowed and rare.
        match self.rest {
            [0, rest @ ..] => {
                self.rest = rest;
                Ok(false)
            }
            [2, rest @ ..] => {
                self.rest = rest;
                Ok(true)
            }
            _ => self.is_present_in_full(),
        }
    }

    fn is_present_in_full(&mut self) -> Result<bool, Fault> {
        match self.long()? {
            0 => Ok(false),
            1 => Ok(true),
            branch => Err(Fault::UnknownBranch { branch }),
        }
    }

    /// Reads the blocks of an array or a map, item by item.
    pub(crate) fn each_item<E: From<Fault>>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let mut items = self.long()?;
            if items == 0 {
                return Ok(());
            }
            if items < 0 {
                // The block's size in bytes follows, for readers that pass it over.
                self.long()?;
                items = items.checked_neg().ok_or(Fault::LongInteger)?;
            }
            // No item is without bytes, so a count that is too high ends with the record.
            for _ in 0..items {
                read(self)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_end_where_64_bits_do() {
        let long = |bytes: &[u8]| Datum::new(bytes).long();
        assert_eq!(long(&[0x01]), Ok(-1));
        assert_eq!(long(&[0x80, 0x01]), Ok(64));
        let lowest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(long(&lowest), Ok(i64::MIN));
        let mut beyond = lowest;
        beyond[9] = 0x02;
        assert_eq!(long(&beyond), Err(Fault::LongInteger));
        beyond[9] = 0x81;
        assert_eq!(long(&beyond), Err(Fault::LongInteger));
        assert_eq!(long(&lowest[..9]), Err(Fault::CutShort));
    }

    #[test]
    fn blocks_of_both_kinds_are_read() {
        // Two items, then one in a block that states its size, then the end.
        let bytes = [4, 2, 4, 1, 2, 6, 0];
        let mut datum = Datum::new(&bytes);
        let mut items = Vec::new();
        datum.each_item(|datum| datum.long().map(|item| items.push(item))).unwrap();
        assert_eq!((items, datum.left()), (vec![1, 2, 3], 0));
    }

    #[test]
    fn a_count_that_lies_ends_with_the_record() {
        let many = [0xfe, 0xff, 0xff, 0xff, 0x0f, 2, 2];
        assert_eq!(Datum::new(&many).each_item(|datum| datum.long().map(drop)), Err(Fault::CutShort));
    }
}
