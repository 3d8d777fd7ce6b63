//! Boxes of fragmented MP4 (ISO/IEC 14496-12), written by hand: an init segment depends on nothing
//! but the rendition, so it is the same in every run, and a fragment says its time itself.

mod fragment;
#[cfg(test)]
mod tests;

pub(crate) use fragment::{Sample, fragment};

/// What the samples of a track are.
#[derive(Debug)]
pub(crate) enum Entry {
    /// H.264 with its configuration record.
    Avc {
        width: u16,
        height: u16,
        configuration: Vec<u8>,
    },
    /// AV1 with its configuration record (AV1 in ISO-BMFF, section 2.3).
    Av1 {
        width: u16,
        height: u16,
        configuration: Vec<u8>,
    },
    /// Opus (RFC 6716), one channel at 48 kHz.
    Opus,
    /// AAC (ISO/IEC 14496-3), one channel, with its `AudioSpecificConfig`.
    Aac { configuration: Vec<u8> },
}

/// The only track of a rendition.
pub(crate) struct Track {
    /// Units of time in a second.
    pub(crate) timescale: u32,
    /// Length of every sample in units of time; 0 when they differ.
    pub(crate) sample_duration: u32,
    pub(crate) entry: Entry,
}

const TRACK_ID: u32 = 1;
/// Depends on no other sample; is no sync sample and depends on others (section 8.8.3.1).
const SYNC: u32 = 0x0200_0000;
const NOT_SYNC: u32 = 0x0101_0000;

/// A box: its size, its type, and what is inside.
fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let length = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(length);
    // Callers keep samples far below four gigabytes.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(kind);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// A box with version and flags.
fn full(kind: &[u8; 4], version: u8, flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    let head = (u32::from(version) << 24 | flags).to_be_bytes();
    let mut all = vec![&head[..]];
    all.extend_from_slice(parts);
    boxed(kind, &all)
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

const IDENTITY: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// `ftyp` and `moov`.
pub(crate) fn init(track: &Track) -> Vec<u8> {
    let mut out = boxed(b"ftyp", &[b"iso6", &words(&[0]), b"iso6", b"cmfc", b"mp41"]);
    let mut movie = vec![0, 0, 1000, 0, 0x1_0000, 0x0100_0000, 0, 0];
    movie.extend_from_slice(&IDENTITY);
    movie.extend_from_slice(&[0, 0, 0, 0, 0, 0, TRACK_ID + 1]);
    let default_flags = match track.entry {
        Entry::Avc { .. } | Entry::Av1 { .. } => NOT_SYNC,
        _ => SYNC,
    };
    let defaults = [TRACK_ID, 1, track.sample_duration, 0, default_flags];
    let extends = boxed(b"mvex", &[&full(b"trex", 0, 0, &[&words(&defaults)])]);
    out.extend(boxed(
        b"moov",
        &[
            &full(b"mvhd", 0, 0, &[&words(&movie)]),
            &trak(track),
            &extends,
        ],
    ));
    out
}

fn trak(track: &Track) -> Vec<u8> {
    let (volume, width, height) = match track.entry {
        Entry::Avc { width, height, .. } | Entry::Av1 { width, height, .. } => (0, width, height),
        _ => (0x0100_0000, 0, 0),
    };
    let mut header = vec![0, 0, TRACK_ID, 0, 0, 0, 0, 0, volume];
    header.extend_from_slice(&IDENTITY);
    header.extend_from_slice(&[u32::from(width) << 16, u32::from(height) << 16]);
    // Enabled, in the movie, in the preview.
    let header = full(b"tkhd", 0, 7, &[&words(&header)]);
    // Language `und`.
    let media = words(&[0, 0, track.timescale, 0, 0x55c4_0000]);
    let (handler, name, about) = match track.entry {
        Entry::Avc { .. } | Entry::Av1 { .. } => (
            b"vide",
            &b"video\0"[..],
            full(b"vmhd", 0, 1, &[&words(&[0, 0])]),
        ),
        _ => (
            b"soun",
            &b"sound\0"[..],
            full(b"smhd", 0, 0, &[&words(&[0])]),
        ),
    };
    let here = full(b"dref", 0, 0, &[&words(&[1]), &full(b"url ", 0, 1, &[])]);
    let none = words(&[0]);
    let table = boxed(
        b"stbl",
        &[
            &full(b"stsd", 0, 0, &[&words(&[1]), &entry(&track.entry)]),
            &full(b"stts", 0, 0, &[&none]),
            &full(b"stsc", 0, 0, &[&none]),
            &full(b"stsz", 0, 0, &[&none, &none]),
            &full(b"stco", 0, 0, &[&none]),
        ],
    );
    let handler = full(b"hdlr", 0, 0, &[&none, handler, &words(&[0, 0, 0]), name]);
    let information = boxed(b"minf", &[&about, &boxed(b"dinf", &[&here]), &table]);
    let media = full(b"mdhd", 0, 0, &[&media]);
    boxed(
        b"trak",
        &[&header, &boxed(b"mdia", &[&media, &handler, &information])],
    )
}

/// Reserved, and the data reference.
const HEAD: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 1];

/// The sample entry. Its first eight bytes are reserved but for the data reference, 1.
fn entry(entry: &Entry) -> Vec<u8> {
    // One channel, 16 bits, 48 kHz.
    let sound = words(&[0, 0, 0x0001_0010, 0, 48_000 << 16]);
    match entry {
        Entry::Avc {
            width,
            height,
            configuration,
        } => picture(*b"avc1", (*width, *height), *b"avcC", configuration),
        Entry::Av1 {
            width,
            height,
            configuration,
        } => picture(*b"av01", (*width, *height), *b"av1C", configuration),
        Entry::Opus => {
            // Version, channels, pre-skip (what the encoder adds is left out before it), rate,
            // gain, mapping family.
            let mut specific = vec![0, 1, 0, 0];
            specific.extend_from_slice(&48_000_u32.to_be_bytes());
            specific.extend_from_slice(&[0, 0, 0]);
            boxed(b"Opus", &[&HEAD, &sound, &boxed(b"dOps", &[&specific])])
        }
        Entry::Aac { configuration } => {
            let descriptors = full(b"esds", 0, 0, &[&descriptors(configuration)]);
            boxed(b"mp4a", &[&HEAD, &sound, &descriptors])
        }
    }
}

/// `VisualSampleEntry` (section 12.1.3).
fn picture(kind: [u8; 4], (width, height): (u16, u16), about: [u8; 4], record: &[u8]) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let resolution = words(&[0x48_0000, 0x48_0000, 0]);
    boxed(
        &kind,
        &[
            &HEAD,
            &[0; 16],
            &size,
            &resolution,
            // One picture in a sample, no name, 24 bits of colour.
            &[0, 1],
            &[0; 32],
            &[0, 0x18, 0xff, 0xff],
            &boxed(&about, &[record]),
        ],
    )
}

/// `ES_Descriptor` (ISO/IEC 14496-1, section 7.2.6.5) of AAC.
fn descriptors(configuration: &[u8]) -> Vec<u8> {
    let descriptor = |tag: u8, parts: &[&[u8]]| {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        // Below 128, so that one byte holds the length.
        let mut out = vec![tag, u8::try_from(length).unwrap_or(0x7f)];
        out.extend(parts.concat());
        out
    };
    let specific = descriptor(5, &[configuration]);
    // MPEG-4 audio, an audio stream, no buffer size, no rates.
    let decoder = descriptor(4, &[&[0x40, 0x15], &[0; 11], &specific]);
    descriptor(3, &[&[0, 0, 0], &decoder, &descriptor(6, &[&[2]])])
}
