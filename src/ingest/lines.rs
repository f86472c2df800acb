//! A table as text, line by line: none is longer than is good, each has its number, and its fields come without
//! quotes. What the CSV and the votes beside it share.

use super::Error;
use crate::files;
use csv::{ByteRecord, ReaderBuilder, Trim};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The longest line that is read, in bytes: images need some 9,000.
const LONGEST: u64 = 1 << 20;

/// Which part of the set a line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    Training,
    PublicTest,
    PrivateTest,
}

impl Usage {
    pub fn parse(text: &[u8]) -> Result<Usage, String> {
        match text {
            b"Training" => Ok(Usage::Training),
            b"PublicTest" => Ok(Usage::PublicTest),
            b"PrivateTest" => Ok(Usage::PrivateTest),
            other => Err(format!(
                "the usage is `{}`, not Training, PublicTest or PrivateTest",
                shown(other)
            )),
        }
    }
}

/// The fields of a line, without quotes and the blanks around them.
pub(super) fn record(line: &[u8]) -> ByteRecord {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .trim(Trim::All)
        .from_reader(line);
    let mut fields = ByteRecord::new();
    // Bytes in memory, one line of them, cannot fail to be read.
    drop(reader.read_byte_record(&mut fields));
    fields
}

/// A field for a person.
pub(super) fn shown(field: &[u8]) -> String {
    super::error::short(&String::from_utf8_lossy(field))
}

/// The lines of a file, one at a time, none longer than [`LONGEST`].
pub(super) struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    /// Of the last line, from 1.
    number: u64,
    /// Bytes read.
    position: u64,
}

/// A line's number, and its bytes or what is wrong with it.
type Line = (u64, Result<Vec<u8>, String>);

impl Lines {
    pub fn open(path: &Path) -> Result<Lines, Error> {
        let read = |source| files::Error::read(path, source);
        // Asked before opening: opening a pipe would wait for a writer.
        if !std::fs::metadata(path).map_err(read)?.is_file() {
            return Err(files::Error::Irregular(path.into()).into());
        }
        let file = File::open(path).map_err(read)?;
        Ok(Lines {
            path: path.into(),
            file: BufReader::with_capacity(1 << 18, file),
            number: 0,
            position: 0,
        })
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of the file.
    pub fn length(&self) -> Result<u64, Error> {
        let found = self.file.get_ref().metadata();
        Ok(found
            .map_err(|source| files::Error::read(&self.path, source))?
            .len())
    }

    /// The next line without what ends it.
    pub fn next(&mut self) -> Result<Option<Line>, Error> {
        let read = |source| files::Error::read(&self.path, source);
        let mut line = Vec::new();
        let mut part = self.file.by_ref().take(LONGEST);
        let mut count = part.read_until(b'\n', &mut line).map_err(read)? as u64;
        if count == 0 {
            return Ok(None);
        }
        self.number += 1;
        let cut = count == LONGEST && !line.ends_with(b"\n");
        if cut {
            count += skip_line(&mut self.file).map_err(read)?;
        }
        self.position += count;
        if cut {
            let why = format!("the line is longer than {} MiB", LONGEST >> 20);
            return Ok(Some((self.number, Err(why))));
        }
        while line.ends_with(b"\n") || line.ends_with(b"\r") {
            line.pop();
        }
        // The mark that some programs put before the first line.
        if self.number == 1 && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        Ok(Some((self.number, Ok(line))))
    }
}

/// Reads to the end of a line and keeps nothing; how many bytes that was.
fn skip_line(file: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let some = file.fill_buf()?;
        let (count, ends) = match some.iter().position(|&byte| byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (some.len(), some.is_empty()),
        };
        file.consume(count);
        skipped += count as u64;
        if ends {
            return Ok(skipped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::record;

    #[test]
    fn fields_lose_their_quotes_and_blanks() {
        let fields = |line: &str| -> Vec<String> {
            let record = record(line.as_bytes());
            let text = |field: &[u8]| String::from_utf8(field.to_vec()).expect("text");
            record.iter().map(text).collect()
        };
        assert_eq!(
            fields("emotion, Usage, pixels"),
            ["emotion", "Usage", "pixels"]
        );
        assert_eq!(fields("3,\"1 2 3\",Training"), ["3", "1 2 3", "Training"]);
        assert_eq!(fields("3,\"1 2"), ["3", "1 2"]);
        assert!(fields("").is_empty());
    }
}
