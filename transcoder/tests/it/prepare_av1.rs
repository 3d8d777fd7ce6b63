//! AV1 beside H.264, where it is worth it.

use millet_manifest::{Kind, TitleClass};

use crate::kit::Bench;

/// Slides with words that change every ten seconds, and a cut in the middle of nothing else.
const SLIDES: &str = "-f lavfi -i color=c=white:s=640x360:r=10:d=30 -vf \
     drawtext=text=Beekeeping:x=40:y=40:fontsize=48:enable='lt(t,10)',\
     drawtext=text=Smoke-and-patience:x=60:y=120:fontsize=40:enable='between(t,10,20)',\
     drawtext=text=Harvest:x=90:y=200:fontsize=60:enable='gt(t,20)',\
     drawbox=x=0:y=0:w=640:h=30:color=green:t=fill \
     -c:v libx264 -preset ultrafast -pix_fmt yuv420p";

#[test]
fn slides_get_av1_that_is_cut_where_h264_is_and_costs_less() {
    let made = Bench::made("slides.mp4", SLIDES).prepare_with_av1();
    let decision = made.timeline.decision.as_ref().unwrap();
    assert_eq!(decision.class, TitleClass::Lecture);
    let of = |codec: &str| {
        let mut found = made.timeline.renditions.iter();
        found.find(|r| r.kind == Kind::Video && r.codec.starts_with(codec))
    };
    let (h264, av1) = (of("avc1").unwrap(), of("av01").unwrap());
    assert_eq!((h264.width, h264.height), (av1.width, av1.height));
    assert!(av1.average_bps < h264.average_bps);
    let saved = |id: &str| {
        let rung = decision.rungs.iter().find(|rung| rung.rendition == id);
        rung.and_then(|rung| rung.saved_permille)
    };
    assert!(saved(&av1.id).is_some_and(|saved| saved >= 250));
    assert_eq!(saved(&h264.id), None);
    // Whatever was tried and not kept saved too little.
    for rung in decision.rungs.iter().filter(|rung| !rung.kept) {
        assert!(rung.saved_permille.is_some_and(|saved| saved < 250));
        assert!(made.timeline.rendition(&rung.rendition).is_none());
    }
}

#[test]
fn two_runs_with_av1_make_the_same_bytes() {
    let made = || Bench::made("slides.mp4", SLIDES).prepare_with_av1();
    let (first, again) = (made(), made());
    for rendition in &first.timeline.renditions {
        for segment in &rendition.segments {
            let read = |from: &crate::kit::Prepared| std::fs::read(from.file(&segment.file));
            assert!(
                read(&first).unwrap() == read(&again).unwrap(),
                "{}",
                segment.file
            );
        }
    }
}
