//! The content of a file, told by its length and a hash: it decides where `stat(2)` shows a change of the inode alone.

use rustc_hash::FxHasher;
use std::hash::Hasher;
use std::io::{self, Read};

/// The content of a file. The hash need not resist an attacker: those who can write the file can have its code run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    length: u64,
    hash: u64,
}

/// How much is read at a time: what fits the processor's own cache beside all else.
const PIECE: usize = 1 << 16;

impl Content {
    /// Reads `source` to its end. None if that is not reached within `most` bytes.
    pub fn read(source: &mut impl Read, most: u64) -> io::Result<Option<Self>> {
        let (mut hasher, mut length, mut piece) = (FxHasher::default(), 0, Vec::with_capacity(PIECE));
        loop {
            piece.clear();
            // The hash depends on where a piece ends, so that each but the last is a full one.
            let size = source.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
            hasher.write(&piece);
            length += size as u64;
            if length > most {
                return Ok(None);
            }
            if size < PIECE {
                return Ok(Some(Self { length, hash: hasher.finish() }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, PIECE};
    use std::io::{self, Read};

    fn of(text: &[u8]) -> Content {
        Content::read(&mut &text[..], text.len() as u64).expect("readable").expect("short enough")
    }

    /// Gives what it has a few bytes at a time, as a pipe or a slow server may.
    struct Dripping<'t>(&'t [u8]);

    impl Read for Dripping<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let few = buffer.len().min(1000);
            self.0.read(&mut buffer[..few])
        }
    }

    #[test]
    fn any_byte_and_any_length_makes_another_content() {
        for length in [0, 1, 3, 8, 17, 500, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5] {
            let text: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let content = of(&text);
            assert_eq!(of(&text), content);
            for at in [0, length / 3, length / 2, length.saturating_sub(1)] {
                let mut other = text.clone();
                if let Some(byte) = other.get_mut(at) {
                    *byte ^= 1;
                    assert_ne!(of(&other), content, "byte {at} of {length}");
                }
            }
            assert_ne!(of(&[&text[..], b"\0"].concat()), content);
        }
    }

    #[test]
    fn how_the_bytes_arrive_makes_no_difference() {
        let text: Vec<u8> = (0..5 * PIECE + 77).map(|at| (at % 253) as u8).collect();
        let dripped = Content::read(&mut Dripping(&text), text.len() as u64).expect("readable");
        assert_eq!(dripped, Some(of(&text)));
    }

    #[test]
    fn what_grows_under_the_hand_is_left_alone() {
        assert_eq!(Content::read(&mut io::repeat(7), 1 << 20).expect("readable"), None);
    }
}
