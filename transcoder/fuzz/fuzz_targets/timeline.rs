//! Any text is a timeline or is refused; what is taken reads back as it is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millet_manifest::Timeline;

fuzz_target!(|text: &[u8]| {
    if let Ok(timeline) = Timeline::from_json(text) {
        let again = serde_json_of(&timeline);
        assert_eq!(Timeline::from_json(&again).ok().as_ref(), Some(&timeline));
        let _ = (
            timeline.bytes(),
            timeline.in_short(),
            timeline.segment_at(u64::MAX),
        );
    }
});

fn serde_json_of(timeline: &Timeline) -> Vec<u8> {
    serde_json::to_vec(timeline).unwrap_or_default()
}
