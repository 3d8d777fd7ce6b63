//! Any bytes on the pipes of a live run are records or are refused, the same in whatever pieces they
//! come; what is taken reads back as it is written.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use millet_manifest::live::{Decoder, Input, Output, Record};

fuzz_target!(|bytes: &[u8]| {
    both_ways::<Input>(bytes);
    both_ways::<Output>(bytes);
});

fn both_ways<R: Record + Debug + PartialEq>(bytes: &[u8]) {
    let whole = records::<R>(bytes, bytes.len().max(1));
    assert_eq!(records::<R>(bytes, 7), whole);
    for record in whole.0 {
        if let Ok(again) = record.encode() {
            assert_eq!(records::<R>(&again, again.len()), (vec![record], None));
        }
    }
}

/// The records of `bytes` that come in pieces of this length, and why there is no further one.
fn records<R: Record>(bytes: &[u8], piece: usize) -> (Vec<R>, Option<String>) {
    let (mut decoder, mut records) = (Decoder::default(), Vec::new());
    for piece in bytes.chunks(piece) {
        decoder.push(piece);
        loop {
            match decoder.take::<R>() {
                Ok(Some(record)) => records.push(record),
                Ok(None) => break,
                Err(error) => return (records, Some(error.to_string())),
            }
        }
    }
    (records, None)
}
