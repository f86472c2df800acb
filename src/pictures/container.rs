//! Where JPEG and WebP files end, and what their parts are: decoders fill in what is cut off, or
//! believe any length.

/// Whether the first picture of a JPEG file goes on to its end marker. What follows that, such as
/// the second picture of some cameras, plays no part.
pub fn is_whole_jpeg(bytes: &[u8]) -> bool {
    const END: u8 = 0xD9;
    let mut at = 2;
    // Between segments lies entropy-coded data, in which a zero or a restart marker follows 0xFF.
    while let Some(skipped) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|&byte| byte == 0xFF))
    {
        at += skipped + 1;
        match bytes.get(at) {
            Some(&END) => return true,
            // 0xFF may be repeated before a marker.
            Some(0xFF) => {}
            Some(0x00 | 0x01 | 0xD0..=0xD8) => at += 1,
            Some(_) => match bytes.get(at + 1..at + 3) {
                Some(length) => at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => return false,
            },
            None => return false,
        }
    }
    false
}

/// The EXIF chunk of a WebP file, empty if there is none; `None` if a chunk, or the file by its
/// own word, ends behind the end of the bytes.
pub fn exif_of_webp(bytes: &[u8]) -> Option<&[u8]> {
    let length = |at: usize| {
        let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let end = length(4)?.checked_add(8)?;
    let file = bytes.get(..end)?;
    let mut exif: &[u8] = &[];
    let mut at = 12;
    while at + 8 <= end {
        let data = file.get(at + 8..)?.get(..length(at + 4)?)?;
        if file[at..].starts_with(b"EXIF") && exif.is_empty() {
            // Some programs write the six bytes that only JPEG wants.
            exif = data.strip_prefix(b"Exif\0\0").unwrap_or(data);
        }
        // A chunk of an odd length is followed by one byte of padding.
        at += 8 + data.len() + data.len() % 2;
    }
    Some(exif)
}
