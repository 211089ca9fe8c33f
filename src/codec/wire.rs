//! The protobuf wire format, read in place. Nothing is allocated and nothing is trusted.

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    pub(crate) const fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) const fn double(self) -> Option<f64> {
        match self {
            Self::Fixed64(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    pub(crate) const fn varint(self) -> Option<u64> {
        match self {
            Self::Varint(v) => Some(v),
            _ => None,
        }
    }
}

/// The fields of a message, in order. `Err(())` is the last item of a broken message.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// What was not read yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn read(&mut self) -> Option<(u32, Field<'a>)> {
        let tag = varint(&mut self.rest)?;
        let number = u32::try_from(tag >> 3).ok().filter(|n| *n > 0)?;
        let field = match tag & 7 {
            0 => Field::Varint(varint(&mut self.rest)?),
            1 => Field::Fixed64(u64::from_le_bytes(fixed(&mut self.rest)?)),
            2 => Field::Bytes(delimited(&mut self.rest)?),
            5 => Field::Fixed32(u32::from_le_bytes(fixed(&mut self.rest)?)),
            _ => return None,
        };
        Some((number, field))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Field<'a>), ()>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(field) = self.read() else {
            self.rest = &[];
            return Some(Err(()));
        };
        Some(Ok(field))
    }
}

/// Reads a varint off the front.
pub(crate) fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (i, byte) in rest.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        if i == 9 && bits > 1 {
            return None;
        }
        value |= bits << (7 * i);
        if byte & 0x80 == 0 {
            *rest = rest.get(i + 1..)?;
            return Some(value);
        }
    }
    None
}

/// Reads a length and that many bytes off the front.
pub(crate) fn delimited<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint(rest)?).ok()?;
    let (bytes, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(bytes)
}

fn fixed<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*bytes)
}

/// Adds the numbers of a repeated varint field, packed or single.
pub(crate) fn push_varints<T>(
    into: &mut Vec<T>,
    field: Field<'_>,
    convert: fn(u64) -> T,
) -> Option<()> {
    match field {
        Field::Varint(v) => into.push(convert(v)),
        Field::Bytes(mut packed) => {
            while !packed.is_empty() {
                into.push(convert(varint(&mut packed)?));
            }
        }
        _ => return None,
    }
    Some(())
}

/// Adds the numbers of a repeated double field, packed or single.
pub(crate) fn push_doubles(into: &mut Vec<f64>, field: Field<'_>) -> Option<()> {
    match field {
        Field::Fixed64(bits) => into.push(f64::from_bits(bits)),
        Field::Bytes(mut packed) => {
            while !packed.is_empty() {
                into.push(f64::from_bits(u64::from_le_bytes(fixed(&mut packed)?)));
            }
        }
        _ => return None,
    }
    Some(())
}

/// The signed number that a zigzag varint stands for.
pub(crate) const fn zigzag(v: u64) -> i64 {
    (v >> 1) as i64 ^ -((v & 1) as i64)
}
