//! Any bytes on the pipes of a live run are records, in whatever pieces they come, or are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millet_manifest::live::{Decoder, Input, Output};

fuzz_target!(|bytes: &[u8]| {
    let (mut whole, mut pieces) = (Decoder::default(), Decoder::default());
    whole.push(bytes);
    while let Ok(Some(_)) = whole.take::<Output>() {}
    for piece in bytes.chunks(7) {
        pieces.push(piece);
        while let Ok(Some(_)) = pieces.take::<Input>() {}
    }
});
