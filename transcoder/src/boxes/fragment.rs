//! Fragments: a few samples and where they stand in time (section 8.8).

use super::{NOT_SYNC, SYNC, TRACK_ID, boxed, full, words};

/// One coded picture or frame of sound.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Units of the track's time.
    pub(crate) duration: u32,
    /// How much later it is shown than decoded.
    pub(crate) offset: i32,
    pub(crate) data: Vec<u8>,
}

/// `moof` and `mdat`; `time` is when the first sample is decoded, in the track's units. `key` says
/// whether the first picture is a keyframe (the others are none); every frame of sound is one, which
/// the init segment says.
pub(crate) fn fragment(number: u32, time: u64, key: Option<bool>, samples: &[Sample]) -> Vec<u8> {
    let Some(first) = samples.first() else {
        return Vec::new();
    };
    let size = |sample: &Sample| u32::try_from(sample.data.len()).unwrap_or(u32::MAX);
    let same_duration = samples.iter().all(|s| s.duration == first.duration);
    let same_size = samples.iter().all(|sample| size(sample) == size(first));
    // Offsets count from the moof; what is the same for all stands once.
    let mut header_flags = 0x02_0000;
    let mut header = vec![TRACK_ID];
    let mut run_flags = 0x00_0001;
    let reordered = samples.iter().any(|sample| sample.offset != 0);
    if same_duration {
        header_flags |= 0x08;
        header.push(first.duration);
    } else {
        run_flags |= 0x100;
    }
    if same_size {
        header_flags |= 0x10;
        header.push(size(first));
    } else {
        run_flags |= 0x200;
    }
    let count = u32::try_from(samples.len()).unwrap_or(u32::MAX);
    let mut run = vec![count, 0];
    if let Some(key) = key {
        run_flags |= 0x04;
        run.push(if key { SYNC } else { NOT_SYNC });
    }
    if reordered {
        run_flags |= 0x800;
    }
    for sample in samples {
        if !same_duration {
            run.push(sample.duration);
        }
        if !same_size {
            run.push(size(sample));
        }
        if reordered {
            run.push(sample.offset.cast_unsigned());
        }
    }
    let header = full(b"tfhd", 0, header_flags, &[&words(&header)]);
    let time = full(b"tfdt", 1, 0, &[&time.to_be_bytes()]);
    let head = full(b"mfhd", 0, 0, &[&words(&[number])]);
    // Boxes around the run, the run's own head, and the head of mdat behind it.
    let offset = 8 + head.len() + 8 + header.len() + time.len() + 12 + run.len() * 4 + 8;
    run[1] = u32::try_from(offset).unwrap_or(u32::MAX);
    let run = full(b"trun", u8::from(reordered), run_flags, &[&words(&run)]);
    let mut out = boxed(b"moof", &[&head, &boxed(b"traf", &[&header, &time, &run])]);
    let data: Vec<&[u8]> = samples
        .iter()
        .map(|sample| sample.data.as_slice())
        .collect();
    out.extend(boxed(b"mdat", &data));
    out
}
