//! What is sent of a rung in any ten seconds stays below its cap.

use crate::kit::Bench;

/// A quiet picture, and what hardly any bits are enough for, from the middle of one segment until into the next.
const BURST: &str = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=50 \
     -vf noise=alls=90:allf=t:enable='between(t,17,25)' -c:v libx264 -preset ultrafast -crf 18";

#[test]
fn a_burst_that_two_segments_share_stays_below_the_cap() {
    let bench = Bench::made("a.mp4", BURST);
    let run = bench.run_with(&["--h264-only", "--quick"]);
    let prepared = bench.prepared(&run);
    let (most_bps, peak_bps) = (
        prepared.most_bps("v240").unwrap(),
        prepared.timeline.rendition("v240").unwrap().peak_bps,
    );
    // And not by making the burst a blur.
    assert!(
        peak_bps <= most_bps && peak_bps > most_bps / 2,
        "{peak_bps}"
    );
}
