//! What is no recording, or a hostile one: one plain sentence, little time and little memory.

use millet_manifest::BadInput;

use crate::kit::{Bench, PICTURES, TONE};

const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";

#[test]
fn text_and_nothing() {
    Bench::with(
        "notes.mp4",
        b"Dear all,\nthis is no film.\n".repeat(200).as_slice(),
    )
    .refused(BadInput::NotMedia);
    Bench::with("empty.mp4", b"").refused(BadInput::NotMedia);
    Bench::with("zeros.mp4", &[0; 100_000]).refused(BadInput::NotMedia);
}

#[test]
fn a_file_that_ends_in_the_middle() {
    let eight_s = format!("{PICTURES} {TONE}").replace("duration=3", "duration=8");
    let whole = Bench::made("a.mp4", &format!("{eight_s} {H264} -c:a aac"));
    let bytes = std::fs::read(&whole.input).unwrap();
    // The index stands at the end, so it is what is missing.
    Bench::with("cut.mp4", &bytes[..bytes.len() * 9 / 10]).refused(BadInput::Truncated);
    Bench::with("head.mp4", &bytes[..40]).refused(BadInput::Truncated);
    let front = whole.then("b.mp4", "-i INPUT -c copy -movflags +faststart");
    let bytes = std::fs::read(&front.input).unwrap();
    Bench::with("half.mp4", &bytes[..bytes.len() / 2]).refused(BadInput::Truncated);
}

#[test]
fn a_recording_that_lost_its_last_moment_is_kept() {
    let bytes = {
        let made = format!("{PICTURES} {TONE} {H264} -c:a aac -movflags +faststart");
        std::fs::read(Bench::made("a.mp4", &made).input).unwrap()
    };
    let prepared = Bench::with("a.mp4", &bytes[..bytes.len() * 97 / 100]).prepare();
    assert!(prepared.timeline.duration_ms > 2_500);
}

#[test]
fn a_container_without_streams() {
    let subtitles = b"1\n00:00:00,000 --> 00:00:01,000\nhello\n";
    Bench::with("a.srt", subtitles)
        .then("a.mkv", "-i INPUT -c:s srt")
        .refused(BadInput::NoStreams);
}

#[test]
fn sound_of_a_rate_that_none_has() {
    let tone = Bench::made("a.wav", &format!("{TONE} -c:a pcm_s16le"));
    let mut bytes = std::fs::read(&tone.input).unwrap();
    bytes[24..28].copy_from_slice(&500_u32.to_le_bytes());
    Bench::with("a.wav", &bytes).refused(BadInput::Truncated);
}

#[test]
fn streams_without_a_frame() {
    Bench::made(
        "a.mp4",
        &format!("{PICTURES} {H264} -frames:v 0 -movflags empty_moov"),
    )
    .refused(BadInput::NoFrames);
}

#[test]
fn a_picture_that_is_too_large() {
    let large = "-f lavfi -i color=black:size=5000x3000:rate=1:duration=1 -c:v mpeg4";
    let sentence = Bench::made("a.mp4", large).refused(BadInput::TooLarge);
    assert!(sentence.contains("5000 × 3000"), "{sentence}");
}

/// The container says 64 × 64, and the picture inside unpacks to 100 million pixels.
#[test]
fn a_picture_that_unpacks_to_far_more_than_was_said() {
    let bomb = "-f lavfi -i color=black:size=16000x8000:rate=1:duration=1 -c:v mjpeg";
    let bench = Bench::made("a.mov", bomb);
    let mut bytes = std::fs::read(&bench.input).unwrap();
    // The sample entry says width and height behind 24 bytes of its own, the track in 16.16.
    let entry = place(&bytes, b"jpeg") + 4 + 24;
    bytes[entry..entry + 4].copy_from_slice(&[0, 64, 0, 64]);
    let track = place(&bytes, b"tkhd") + 80;
    bytes[track..track + 8].copy_from_slice(&[0, 64, 0, 0, 0, 64, 0, 0]);
    Bench::with("bomb.mov", &bytes).refused(BadInput::TooLarge);
}

/// Where a word of four letters first stands.
fn place(bytes: &[u8], word: &[u8; 4]) -> usize {
    bytes.windows(4).position(|four| four == word).unwrap()
}

#[test]
fn a_film_in_a_codec_that_is_not_allowed() {
    let png = "-f lavfi -i color=black:size=64x64:rate=1:duration=1 -c:v png";
    Bench::made("a.mov", png).refused(BadInput::NoStreams);
}

/// Two pictures a day apart would be millions at a constant rate.
#[test]
fn a_gap_of_a_day() {
    let gap = "-f lavfi -i testsrc2=size=64x64:rate=10:duration=1 \
         -vf setpts='if(lt(N,5),N,N+864000)/10/TB' -fps_mode passthrough";
    Bench::made("a.mkv", &format!("{gap} {H264}")).refused(BadInput::TooLong);
    Bench::made("a.mp4", &format!("{gap} {H264}")).refused(BadInput::TooLong);
    Bench::made("a.webm", &format!("{gap} -c:v libvpx -f webm -live 1")).refused(BadInput::TooLong);
}

/// An hour in which nothing comes costs an hour of silence and still pictures to make.
#[test]
fn a_hole_of_an_hour() {
    let gap = "-f lavfi -i testsrc2=size=64x64:rate=10:duration=1 \
         -vf setpts='if(lt(N,5),N,N+36000)/10/TB' -fps_mode passthrough";
    Bench::made("a.mkv", &format!("{gap} {H264}")).refused(BadInput::Truncated);
}

#[test]
fn a_playlist_in_the_clothes_of_a_film() {
    let secret = "/etc/passwd";
    for text in [
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"),
        format!("ffconcat version 1.0\nfile {secret}\n"),
        format!(
            "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"><Period><BaseURL>{secret}</BaseURL></Period></MPD>"
        ),
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n".to_owned(),
    ] {
        Bench::with("lesson.mp4", text.as_bytes()).refused(BadInput::NotMedia);
    }
}

#[test]
fn more_streams_than_a_recording_has() {
    let many = " -map 0".repeat(40);
    Bench::made(
        "a.mkv",
        &format!("-f lavfi -i sine=duration=1{many} -c:a pcm_s16le"),
    )
    .refused(BadInput::OverLimit);
}
