//! Events for TensorBoard: scalars by tag and step, appended to a file that it watches.
//!
//! An event is a protobuf message; around it lies a TFRecord: its length, a masked CRC32C of the length, the
//! message, and a masked CRC32C of that, all little-endian.

use super::Error;
use crate::files;
use prost::Message;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the first event says: readers look for it.
const VERSION: &str = "brain.Event:2";

/// `tensorflow.Event`
#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

/// `tensorflow.Summary`
#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

/// `tensorflow.Summary.Value`
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// A file of events that is being written.
pub struct Events {
    path: PathBuf,
    file: File,
}

impl Events {
    /// A fresh file in a folder, which is made where there is none. TensorBoard joins all files of a folder,
    /// so that a resumed run goes on in another one.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn create(folder: &Path) -> Result<Events, Error> {
        fs::create_dir_all(folder).map_err(|source| files::Error::write(folder, source))?;
        let now = now();
        let process = std::process::id();
        for number in 0.. {
            // Ten digits: readers sort files by their names.
            let name = format!(
                "events.out.tfevents.{:010}.fer-gpu.{process}.{number}",
                now as u64
            );
            let path = folder.join(name);
            let mut options = OpenOptions::new();
            match options.append(true).create_new(true).open(&path) {
                Ok(file) => {
                    let mut events = Events { path, file };
                    events.append(&Event {
                        wall_time: now,
                        file_version: Some(VERSION.into()),
                        ..Event::default()
                    })?;
                    return Ok(events);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(source) => return Err(files::Error::write(&path, source).into()),
            }
        }
        unreachable!("numbers do not end")
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends the values of a step, by their tags: `loss/training` say, whose first part is a group. `wall_time` is in
    /// seconds since 1970, as [`now`] gives it.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn scalars(
        &mut self,
        step: u64,
        wall_time: f64,
        values: &[(&str, f32)],
    ) -> Result<(), Error> {
        let value = |&(tag, value): &(&str, f32)| Value {
            tag: tag.into(),
            simple_value: Some(value),
        };
        self.append(&Event {
            wall_time,
            step: step as i64,
            file_version: None,
            summary: Some(Summary {
                value: values.iter().map(value).collect(),
            }),
        })
    }

    /// One write a record: a reader sees it whole, or knows by its length that more is to come.
    fn append(&mut self, event: &Event) -> Result<(), Error> {
        let record = record(&event.encode_to_vec());
        self.file
            .write_all(&record)
            .and_then(|()| self.file.flush())
            .map_err(|source| files::Error::write(&self.path, source).into())
    }
}

/// Seconds since 1970.
pub fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |time| time.as_secs_f64())
}

/// A message as a TFRecord.
fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let parts: [&[u8]; 4] = [
        &length,
        &masked(&length).to_le_bytes(),
        message,
        &masked(message).to_le_bytes(),
    ];
    parts.concat()
}

/// A CRC32C as records hold it: data that hold checksums are to have other ones.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::{Event, Events, masked};
    use prost::Message;
    use std::fs;

    /// CRC32C bit by bit, apart from the crate.
    fn crc(bytes: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for &byte in bytes {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
            }
        }
        !crc
    }

    #[test]
    fn checksums_are_those_of_tfrecords() {
        // RFC 3720: 32 zeros.
        assert_eq!(crc(&[0; 32]), 0x8a91_36aa);
        // TensorFlow's crc32c::Mask of that.
        let expected = 0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(masked(&[0; 32]), expected);
        let unmasked = masked(b"foo").wrapping_sub(0xa282_ead8).rotate_left(15);
        assert_eq!(unmasked, crc(b"foo"));
    }

    /// Reads a file record by record, and each checksum.
    fn read(bytes: &[u8]) -> Vec<Event> {
        let (mut left, mut events) = (bytes, Vec::new());
        while !left.is_empty() {
            let word = |at: usize| u32::from_le_bytes(left[at..at + 4].try_into().expect("four"));
            let length = u64::from_le_bytes(left[..8].try_into().expect("eight")) as usize;
            let unmasked = |crc: u32| crc.wrapping_sub(0xa282_ead8).rotate_left(15);
            assert_eq!(unmasked(word(8)), crc(&left[..8]));
            let message = &left[12..12 + length];
            assert_eq!(unmasked(word(12 + length)), crc(message));
            events.push(Event::decode(message).expect("an event"));
            left = &left[16 + length..];
        }
        events
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("run/tensorboard");
        let mut events = Events::create(&below).expect("a file");
        let other = Events::create(&below).expect("another file");
        assert_ne!(events.path(), other.path());
        let values = [("loss/training", 1.5), ("loss/validation", f32::NAN)];
        events.scalars(7, 1e9 + 0.25, &values).expect("written");
        events.scalars(0, 2e9, &[("lr", 0.0)]).expect("written");
        // Whoever looks while it is written finds all of it.
        let found = read(&fs::read(events.path()).expect("a file"));
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].file_version.as_deref(), Some("brain.Event:2"));
        assert_eq!((found[1].step, found[1].wall_time), (7, 1e9 + 0.25));
        let summary = |event: &Event| event.summary.clone().expect("values").value;
        let first = summary(&found[1]);
        assert_eq!(
            (&first[0].tag[..], first[0].simple_value),
            ("loss/training", Some(1.5))
        );
        assert!(first[1].simple_value.is_some_and(f32::is_nan));
        // A zero is a value, too.
        assert_eq!(summary(&found[2])[0].simple_value, Some(0.0));
        let name = events.path().file_name().expect("a name").to_string_lossy();
        assert!(name.starts_with("events.out.tfevents."), "{name}");
    }
}
