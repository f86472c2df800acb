//! The hash that a file carries of itself: 32 hexadecimal digits (xxh3-128) behind [`KEY`] in its
//! JSON text, taken over the whole file with zeros in their place. So any flipped bit shows, in
//! the tensors behind a header as in the header itself, and the file is written in one go.

use serde::Serialize;
use std::ops::Range;
use xxhash_rust::xxh3::Xxh3;

/// The member of the JSON object that holds the hash.
pub(crate) const KEY: &str = "xxh3-128";

/// What stands where the hash will be.
pub(crate) const PLACE: &str = "00000000000000000000000000000000";

/// A text that was found unchanged, or had no seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealed {
    Unchanged,
    /// It names no hash: of an older version, or of somebody else.
    Never,
}

/// A seal that does not fit: the file was changed after it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("it was changed or damaged since it was written (its xxh3-128 differs)")]
pub struct Unsealed;

/// Where the digits of the hash stand in a JSON text: behind its only member of that name.
pub(crate) fn place(text: &[u8]) -> Option<Range<usize>> {
    let member = format!("\"{KEY}\":");
    let mut found = text
        .windows(member.len())
        .enumerate()
        .filter_map(|(at, window)| (window == member.as_bytes()).then_some(at + member.len()));
    let (after, None) = (found.next()?, found.next()) else {
        return None;
    };
    let blank = usize::from(text.get(after) == Some(&b' '));
    let start = after + blank + 1;
    let digits = start..start + PLACE.len();
    let quoted = text.get(start - 1) == Some(&b'"') && text.get(digits.end) == Some(&b'"');
    quoted.then_some(digits)
}

/// The 32 digits of a hash.
pub(crate) fn hexadecimal(hash: u128) -> String {
    format!("{hash:032x}")
}

/// The hash of a file that begins with `text`, whose digits stand at `place`; more is to come.
pub(crate) fn digest(text: &[u8], place: &Range<usize>) -> Xxh3 {
    let mut hash = Xxh3::new();
    hash.update(&text[..place.start]);
    hash.update(PLACE.as_bytes());
    hash.update(&text[place.end..]);
    hash
}

/// A JSON object as sealed text.
pub fn sealed_json(value: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct File<'a, T> {
        #[serde(flatten)]
        value: &'a T,
        #[serde(rename = "xxh3-128")]
        seal: &'static str,
    }
    let file = File { value, seal: PLACE };
    seal(serde_json::to_string_pretty(&file).expect("plain values") + "\n")
}

/// Seals a JSON text that holds the member [`KEY`] with any 32 characters.
///
/// # Panics
/// If it does not.
fn seal(text: String) -> String {
    let place = place(text.as_bytes()).expect("a text that is to be sealed has the place for it");
    let hash = hexadecimal(digest(text.as_bytes(), &place).digest128());
    [&text[..place.start], &hash, &text[place.end..]].concat()
}

impl Sealed {
    /// Holds a JSON text against its seal.
    pub fn of(text: &[u8]) -> Result<Sealed, Unsealed> {
        let Some(place) = place(text) else {
            let named = text.windows(KEY.len()).any(|w| w == KEY.as_bytes());
            return if named {
                Err(Unsealed)
            } else {
                Ok(Sealed::Never)
            };
        };
        let hash = hexadecimal(digest(text, &place).digest128());
        if text[place] == *hash.as_bytes() {
            Ok(Sealed::Unchanged)
        } else {
            Err(Unsealed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KEY, PLACE, Sealed, Unsealed, seal};

    #[test]
    fn every_flipped_bit_breaks_a_seal_or_removes_it() {
        let text = format!("{{\n  \"a\": 1.5,\n  \"{KEY}\": \"{PLACE}\"\n}}\n");
        let sealed = seal(text.clone());
        assert_eq!(Sealed::of(sealed.as_bytes()), Ok(Sealed::Unchanged));
        assert_eq!(seal(sealed.clone()), sealed);
        assert_eq!(Sealed::of(text.as_bytes()), Err(Unsealed));
        assert_eq!(Sealed::of(b"{\"a\": 1.5}"), Ok(Sealed::Never));
        let key = sealed.find(KEY).expect("the key");
        for bit in 0..8 * sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let of_key = (key..key + KEY.len()).contains(&(bit / 8));
            let expected = if of_key {
                Ok(Sealed::Never)
            } else {
                Err(Unsealed)
            };
            assert_eq!(Sealed::of(&bytes), expected, "bit {bit}");
        }
        let twice = sealed.replace('}', &format!(", \"{KEY}\": \"{PLACE}\"}}"));
        assert_eq!(Sealed::of(twice.as_bytes()), Err(Unsealed));
    }
}
