//! Captions in pieces, as HLS wants them (RFC 8216 section 3.5): a player of a long lesson loads a minute
//! of them at a time.

use std::fmt::Write as _;

use super::Cue;
use super::write::write_cue;

/// A piece ends at the first cut after this long.
const PIECE_MS: u64 = 60_000;

/// Where captions are cut: at some of the timeline's cuts.
#[must_use]
pub fn caption_cuts(cuts_ms: &[u64]) -> Vec<u64> {
    let mut cuts: Vec<u64> = vec![0];
    for cut in cuts_ms {
        let last = cuts.last().copied().unwrap_or(0);
        if *cut >= last.saturating_add(PIECE_MS) {
            cuts.push(*cut);
        }
    }
    cuts
}

/// The piece with this number, of captions that are cut there and end with the lesson at `end_ms`: every
/// cue that is shown in it, also if it began before or goes on behind.
#[must_use]
pub fn caption_piece(cues: &[Cue], cuts: &[u64], number: usize, end_ms: u64) -> Option<String> {
    let from_ms = *cuts.get(number)?;
    let until_ms = cuts.get(number + 1).copied().unwrap_or(end_ms);
    // Media begin at time 0 too. A player has to assume this, but not all do.
    let mut text = String::from("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n");
    for cue in cues {
        if cue.from_ms < until_ms && cue.until_ms > from_ms {
            write_cue(&mut text, cue);
        }
    }
    Some(text)
}

/// The playlist of such pieces, each named by its number.
#[must_use]
pub fn caption_playlist(cuts: &[u64], end_ms: u64, name: impl Fn(usize) -> String) -> String {
    let ends = cuts.iter().skip(1).copied().chain([end_ms]);
    let lengths: Vec<u64> = cuts
        .iter()
        .zip(ends)
        .map(|(from, until)| until.saturating_sub(*from))
        .collect();
    let longest = lengths.iter().map(|ms| ms.div_ceil(1_000)).max();
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-PLAYLIST-TYPE:VOD\n",
        longest.unwrap_or(1).max(1)
    );
    for (number, ms) in lengths.iter().enumerate() {
        let name = name(number);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "#EXTINF:{}.{:03},\n{name}", ms / 1_000, ms % 1_000);
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}
