//! Any bytes are captions or are refused; what is taken reads back as it is written, and no piece is markup.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millet_manifest::captions::{caption_piece, read_captions, write_captions};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(cues) = read_captions(bytes) {
        let written = write_captions(&cues);
        assert_eq!(written.matches(['<', '>']).count(), cues.len());
        assert_eq!(read_captions(written.as_bytes()).as_ref(), Ok(&cues));
        let _ = caption_piece(&cues, &[0, 60_000], 0, 120_000);
    }
});
