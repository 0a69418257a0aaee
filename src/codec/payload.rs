//! What lies around the items of a record: compression, the encoding of its text, how many items there are and where each
//! begins. Owner: the mapper of a partition worker.
//! Invariants: a plain record (one item, nothing around it) is never copied and costs no allocation; unpacking takes no more
//! memory than the limit allows, whatever the record claims; the result depends on the record and the pipeline file alone.

use std::io::Read;
use std::ops::Range;

use encoding_rs::WINDOWS_1251;
use flate2::bufread::MultiGzDecoder;

use crate::codec::{DecodeError, items};
use crate::config::pipeline::{Compression, Encoding, Items, Payload};

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// A zstd frame that wants a longer window (2^25 bytes) than this is refused: it is allocated before anything is read.
const ZSTD_WINDOW_LOG: u32 = 25;
/// A larger buffer is given back after the record that needed it.
const KEPT_BYTES: usize = 4 << 20;

/// Working memory, used again for each record that is not plain.
#[derive(Default)]
pub struct Room {
    unpacked: Vec<u8>,
    text: String,
    items: Vec<Range<usize>>,
}

/// A record taken apart.
pub struct Unpacked<'r> {
    bytes: &'r [u8],
    items: &'r [Range<usize>],
}

impl<'r> Unpacked<'r> {
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The bytes of each item in their order.
    pub fn items(&self) -> impl Iterator<Item = &'r [u8]> + use<'r> {
        let bytes = self.bytes;
        self.items.iter().map(move |item| &bytes[item.clone()])
    }
}

/// The wrapping of one pipeline's records.
#[derive(Clone, Copy, Debug)]
pub struct Wrapping {
    spec: Payload,
}

/// How one record is compressed.
#[derive(Clone, Copy)]
enum Packed {
    Gzip,
    Zstd,
}

impl Wrapping {
    pub fn new(spec: Payload) -> Wrapping {
        Wrapping { spec }
    }

    /// The record is one item as it stands: `unpack` would change nothing.
    pub fn is_plain(&self, record: &[u8]) -> bool {
        self.spec.items == Items::One && self.spec.encoding != Encoding::Windows1251 && self.packed(record).is_none()
    }

    fn packed(&self, record: &[u8]) -> Option<Packed> {
        match self.spec.compression {
            Compression::None => None,
            Compression::Gzip => Some(Packed::Gzip),
            Compression::Zstd => Some(Packed::Zstd),
            Compression::Auto if record.starts_with(GZIP_MAGIC) => Some(Packed::Gzip),
            Compression::Auto if record.starts_with(ZSTD_MAGIC) => Some(Packed::Zstd),
            Compression::Auto => None,
        }
    }

    /// `limit`: how long the record may be without its compression.
    pub fn unpack<'r>(&self, record: &'r [u8], limit: usize, room: &'r mut Room) -> Result<Unpacked<'r>, DecodeError> {
        let Room { unpacked, text, items } = room;
        let mut bytes = record;
        if let Some(packed) = self.packed(record) {
            if unpacked.capacity() > KEPT_BYTES {
                *unpacked = Vec::new();
            }
            decompress(packed, record, limit, unpacked)?;
            bytes = unpacked;
        }
        // Russian text in windows-1251 is not UTF-8 by accident; a record that is UTF-8 already is left alone
        if self.spec.encoding == Encoding::Windows1251 && simdutf8::basic::from_utf8(bytes).is_err() {
            *text = WINDOWS_1251.decode_without_bom_handling(bytes).0.into_owned();
            bytes = text.as_bytes();
        }
        match self.spec.items {
            Items::One => {
                items.clear();
                items.push(0..bytes.len());
            }
            Items::Array => items::of_array(bytes, self.spec.max_items, items)?,
            Items::Lines => items::of_lines(bytes, self.spec.max_items, items)?,
        }
        Ok(Unpacked { bytes, items })
    }
}

fn decompress(packed: Packed, record: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    match packed {
        Packed::Gzip => bounded(MultiGzDecoder::new(record), "gzip", limit, out),
        Packed::Zstd => {
            let broken = |_| DecodeError::BadCompression { kind: "zstd" };
            let mut decoder = zstd::stream::read::Decoder::with_buffer(record).map_err(broken)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(broken)?;
            bounded(decoder, "zstd", limit, out)
        }
    }
}

fn bounded(decoder: impl Read, kind: &'static str, limit: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    out.clear();
    // one byte more than allowed tells a long record from one that just fits
    let read = decoder.take(limit as u64 + 1).read_to_end(out);
    match read {
        Ok(_) if out.len() > limit => Err(DecodeError::TooLarge { limit }),
        Ok(_) => Ok(()),
        Err(_) => Err(DecodeError::BadCompression { kind }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("in memory");
        encoder.finish().expect("in memory")
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(bytes, 1).expect("in memory")
    }

    fn unpack(spec: Payload, record: &[u8]) -> Result<Vec<Vec<u8>>, DecodeError> {
        let mut room = Room::default();
        Wrapping::new(spec)
            .unpack(record, 1000, &mut room)
            .map(|unpacked| unpacked.items().map(<[u8]>::to_vec).collect())
    }

    #[test]
    fn compressed_records_are_recognised_and_plain_ones_are_left_alone() {
        let wrapping = Wrapping::new(Payload::default());
        assert!(wrapping.is_plain(b"{}") && wrapping.is_plain(b""));
        for record in [gzip(b"{\"a\":1}"), zstd(b"{\"a\":1}")] {
            assert!(!wrapping.is_plain(&record));
            assert_eq!(unpack(Payload::default(), &record), Ok(vec![b"{\"a\":1}".to_vec()]));
        }
        let lines = Payload { items: Items::Lines, ..Payload::default() };
        assert_eq!(unpack(lines, &gzip(b"1\n2")), Ok(vec![b"1".to_vec(), b"2".to_vec()]));
    }

    #[test]
    fn a_bomb_is_refused_after_as_many_bytes_as_a_record_may_have() {
        for record in [gzip(&vec![b' '; 50_000_000]), zstd(&vec![b' '; 50_000_000])] {
            let mut room = Room::default();
            let refused = Wrapping::new(Payload::default()).unpack(&record, 1000, &mut room).err();
            assert_eq!(refused, Some(DecodeError::TooLarge { limit: 1000 }));
            assert!(room.unpacked.capacity() < 100_000, "{}", room.unpacked.capacity());
        }
        assert_eq!(unpack(Payload::default(), &gzip(&[b'1'; 1000])).map(|items| items[0].len()), Ok(1000));
    }

    #[test]
    fn what_claims_to_be_compressed_and_is_not_is_refused() {
        let half = gzip(b"{\"a\":\"0123456789\"}");
        for record in [&half[..half.len() - 9], GZIP_MAGIC, ZSTD_MAGIC] {
            assert!(matches!(unpack(Payload::default(), record), Err(DecodeError::BadCompression { .. })));
        }
        let always = Payload { compression: Compression::Gzip, ..Payload::default() };
        assert_eq!(unpack(always, b"{}"), Err(DecodeError::BadCompression { kind: "gzip" }));
        let never = Payload { compression: Compression::None, ..Payload::default() };
        assert!(Wrapping::new(never).is_plain(GZIP_MAGIC));
    }

    #[test]
    fn windows_1251_becomes_utf_8_and_utf_8_stays() {
        let spec = Payload { encoding: Encoding::Windows1251, ..Payload::default() };
        let text = "{\"a\":\"Яма у школы № 7\"}";
        let old = WINDOWS_1251.encode(text).0;
        assert_eq!(unpack(spec, &old), Ok(vec![text.as_bytes().to_vec()]));
        assert_eq!(unpack(spec, &zstd(&old)), Ok(vec![text.as_bytes().to_vec()]));
        assert_eq!(unpack(spec, text.as_bytes()), Ok(vec![text.as_bytes().to_vec()]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_or_refused(
            mut record in proptest::collection::vec(any::<u8>(), 0..300),
            magic in 0..3usize,
            compressions in 0..4usize,
            lines: bool,
        ) {
            let magic = [&[][..], GZIP_MAGIC, ZSTD_MAGIC][magic];
            record.splice(0..0, magic.iter().copied());
            let compression = [Compression::Auto, Compression::None, Compression::Gzip, Compression::Zstd][compressions];
            let items = if lines { Items::Lines } else { Items::Array };
            let _ = unpack(Payload { compression, items, encoding: Encoding::Windows1251, max_items: 9 }, &record);
        }

        #[test]
        fn what_was_compressed_comes_back(text in proptest::collection::vec(any::<u8>(), 0..900), cut in 0..300usize) {
            for record in [gzip(&text), zstd(&text)] {
                prop_assert_eq!(unpack(Payload::default(), &record), Ok(vec![text.clone()]));
                let _ = unpack(Payload::default(), &record[..record.len().saturating_sub(cut)]);
            }
        }
    }
}
