//! Writes one rendition as fragmented MP4 and parts it into an init segment and segments of chunks.
//!
//! libav writes the boxes into one file; where each fragment lies is read back from the boxes
//! themselves (ISO/IEC 14496-12, section 4.2), not guessed.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ffmpeg_next::format::context::Output;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, format};
use millet_manifest::{Chunk, FileRef, Segment};

use crate::error::{Error, libav};
use crate::raw;

/// Usual length of a chunk, milliseconds.
pub(crate) const CHUNK_MS: i64 = 2_000;
const MILLISECONDS: Rational = Rational(1, 1000);

/// A fragment that was begun.
#[derive(Clone, Copy, Debug)]
struct Begun {
    start_ms: i64,
    keyframe: bool,
    /// Whether it begins a segment.
    cut: bool,
}

/// Writes the packets of one rendition.
pub(crate) struct Muxer {
    output: Output,
    path: PathBuf,
    from: Rational,
    to: Rational,
    /// Written when the next packet says how long it lasts.
    held: Option<Packet>,
    begun: Vec<Begun>,
}

impl Muxer {
    /// `path` is where the whole rendition goes for now; `time_base` is that of the packets.
    pub(crate) fn create(
        path: &Path,
        encoder: &codec::Context,
        time_base: Rational,
    ) -> Result<Self, Error> {
        let what = libav("begin a rendition");
        let mut output = format::output(path).map_err(&what)?;
        output
            .add_stream_with(encoder)
            .map_err(&what)?
            .set_time_base(time_base);
        let mut options = Dictionary::new();
        options.set(
            "movflags",
            "frag_custom+empty_moov+default_base_moof+skip_trailer",
        );
        output.write_header_with(options).map_err(&what)?;
        let to = output
            .stream(0)
            .map(|stream| stream.time_base())
            .ok_or_else(|| Error::Fault("a rendition has no stream".into()))?;
        Ok(Self {
            output,
            path: path.to_owned(),
            from: time_base,
            to,
            held: None,
            begun: Vec::new(),
        })
    }

    /// Takes the next packet, that is shown at `at_ms`; with `cut` it begins a segment.
    pub(crate) fn write(&mut self, packet: Packet, at_ms: i64, cut: bool) -> Result<(), Error> {
        let next = packet.dts().unwrap_or(0);
        self.release(next)?;
        let due = self
            .begun
            .last()
            .is_none_or(|chunk| at_ms >= chunk.start_ms + CHUNK_MS);
        if cut || due {
            if !self.begun.is_empty() {
                raw::flush_fragment(&mut self.output).map_err(libav("end a chunk"))?;
            }
            self.begun.push(Begun {
                start_ms: at_ms,
                keyframe: packet.is_key(),
                cut,
            });
        }
        self.held = Some(packet);
        Ok(())
    }

    /// Writes the held packet, that lasts until `next` in the packets' time base.
    fn release(&mut self, next: i64) -> Result<(), Error> {
        if let Some(mut packet) = self.held.take() {
            packet.set_duration((next - packet.dts().unwrap_or(0)).max(1));
            packet.rescale_ts(self.from, self.to);
            packet.set_stream(0);
            packet
                .write(&mut self.output)
                .map_err(libav("write a packet"))?;
        }
        Ok(())
    }

    /// Ends the rendition at `end_ms` and writes init segment and segments into `folder`, whose
    /// name below the output folder is `name`. The whole file stays for the downloads.
    pub(crate) fn finish(
        mut self,
        end_ms: i64,
        cuts_ms: &[i64],
        folder: &Path,
        name: &str,
    ) -> Result<Parted, Error> {
        use ffmpeg_next::Rescale as _;
        self.release(end_ms.rescale(MILLISECONDS, self.from))?;
        raw::flush_fragment(&mut self.output).map_err(libav("end the last chunk"))?;
        self.output
            .write_trailer()
            .map_err(libav("end a rendition"))?;
        drop(self.output);
        part(&self.path, &self.begun, end_ms, cuts_ms, folder, name)
    }
}

/// A rendition's files.
pub(crate) struct Parted {
    pub(crate) init: FileRef,
    pub(crate) segments: Vec<Segment>,
}

/// A box of the file: its type and where it lies.
struct Box4 {
    kind: [u8; 4],
    offset: u64,
    bytes: u64,
}

fn boxes(file: &mut (impl Read + Seek)) -> std::io::Result<Vec<Box4>> {
    let end = file.seek(SeekFrom::End(0))?;
    let (mut offset, mut found) = (0, Vec::new());
    while offset + 8 <= end {
        file.seek(SeekFrom::Start(offset))?;
        let mut head = [0_u8; 16];
        file.read_exact(&mut head[..8])?;
        let kind = [head[4], head[5], head[6], head[7]];
        let mut bytes = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        if bytes == 1 {
            file.read_exact(&mut head[8..])?;
            let mut large = [0_u8; 8];
            large.copy_from_slice(&head[8..]);
            bytes = u64::from_be_bytes(large);
        }
        if bytes < 8 || offset + bytes > end {
            return Err(std::io::Error::other("a box of a rendition is damaged"));
        }
        found.push(Box4 {
            kind,
            offset,
            bytes,
        });
        offset += bytes;
    }
    Ok(found)
}

fn part(
    whole: &Path,
    begun: &[Begun],
    end_ms: i64,
    cuts_ms: &[i64],
    folder: &Path,
    name: &str,
) -> Result<Parted, Error> {
    let mut file = BufReader::new(File::open(whole)?);
    let boxes = boxes(&mut file)?;
    let first = boxes
        .iter()
        .position(|found| &found.kind == b"moof")
        .ok_or_else(|| Error::Fault(format!("{name} has no fragment")))?;
    let init_bytes = boxes[first].offset;
    copy(&mut file, 0, init_bytes, &folder.join("init.mp4"))?;
    // Each fragment reaches from its moof to the next one.
    let starts: Vec<u64> = boxes
        .iter()
        .filter(|found| &found.kind == b"moof")
        .map(|found| found.offset)
        .collect();
    let end = boxes.last().map_or(0, |last| last.offset + last.bytes);
    if starts.len() != begun.len() {
        return Err(Error::Fault(format!(
            "{name} has {} fragments where {} were begun",
            starts.len(),
            begun.len()
        )));
    }
    let mut segments: Vec<Segment> = Vec::with_capacity(cuts_ms.len());
    for (index, chunk) in begun.iter().enumerate() {
        let bytes = starts.get(index + 1).copied().unwrap_or(end) - starts[index];
        let until_ms = begun.get(index + 1).map_or(end_ms, |next| next.start_ms);
        if chunk.cut {
            let cut = segments.len();
            let start_ms = *cuts_ms
                .get(cut)
                .ok_or_else(|| Error::Fault(format!("{name} has more segments than cuts")))?;
            let next_ms = cuts_ms.get(cut + 1).copied().unwrap_or(end_ms);
            segments.push(Segment {
                start_ms: unsigned(start_ms),
                duration_ms: unsigned(next_ms - start_ms),
                file: format!("{name}/{cut:05}.m4s"),
                bytes: 0,
                chunks: Vec::new(),
            });
        }
        let segment = segments
            .last_mut()
            .ok_or_else(|| Error::Fault(format!("{name} does not begin with a cut")))?;
        segment.chunks.push(Chunk {
            offset: segment.bytes,
            bytes,
            start_ms: unsigned(chunk.start_ms),
            duration_ms: unsigned(until_ms - chunk.start_ms),
            keyframe: chunk.keyframe,
        });
        segment.bytes += bytes;
    }
    if segments.len() != cuts_ms.len() {
        return Err(Error::Fault(format!(
            "{name} has {} segments for {} cuts",
            segments.len(),
            cuts_ms.len()
        )));
    }
    let mut offset = init_bytes;
    for (index, segment) in segments.iter().enumerate() {
        let to = folder.join(format!("{index:05}.m4s"));
        copy(&mut file, offset, segment.bytes, &to)?;
        offset += segment.bytes;
    }
    Ok(Parted {
        init: FileRef {
            file: format!("{name}/init.mp4"),
            bytes: init_bytes,
        },
        segments,
    })
}

fn copy(file: &mut (impl Read + Seek), offset: u64, bytes: u64, to: &Path) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    let mut out = File::create(to)?;
    let copied = std::io::copy(&mut file.take(bytes), &mut out)?;
    out.flush()?;
    if copied == bytes {
        Ok(())
    } else {
        Err(std::io::Error::other("a rendition ended early"))
    }
}

fn unsigned(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}
