//! Recordings as phones, cameras, browsers and screen recorders make them.

use std::process::Command;

use millet_manifest::{Content, Kind, Probe};

use crate::kit::{Bench, PICTURES, Prepared, TONE, brightness, loudness, quarters, transcoder};

const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";

fn made(name: &str, rest: &str) -> Prepared {
    Bench::made(name, &format!("{PICTURES} {TONE} {rest}")).prepare()
}

/// Sound and pictures came out, of three seconds.
fn is_whole(prepared: &Prepared) {
    prepared.lasts(3_000);
    assert_eq!(prepared.kinds(), [Kind::Audio, Kind::Stills, Kind::Video]);
    assert_eq!(prepared.sizes(), [(320, 240)]);
    let loud = loudness(&prepared.rendition("aac32"));
    assert!(loud[20..280].iter().all(|value| *value > 0.05), "{loud:?}");
}

#[test]
fn mp4_with_stereo() {
    is_whole(&made("a.mp4", &format!("{H264} -c:a aac -ac 2")));
}

#[test]
fn mov_of_a_camera_with_pcm() {
    is_whole(&made("a.mov", &format!("{H264} -c:a pcm_s16le")));
}

#[test]
fn hevc_of_a_phone() {
    is_whole(&made(
        "a.mp4",
        "-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=error -c:a aac",
    ));
}

#[test]
fn webm_with_vp9_and_opus() {
    is_whole(&made(
        "a.webm",
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus",
    ));
}

/// The pixels of ITU-T H.263 are 12 wide and 11 high.
#[test]
fn three_gp_of_an_old_phone() {
    let prepared = made(
        "a.3gp",
        "-vf scale=176:144 -c:v h263 -c:a aac -ar 8000 -b:a 12k",
    );
    prepared.lasts(3_000);
    assert_eq!(prepared.sizes(), [(192, 144)]);
}

#[test]
fn three_gp_with_mpeg4() {
    is_whole(&made("a.3gp", "-c:v mpeg4 -c:a aac -ac 1"));
}

#[test]
fn avi_with_b_frames_has_no_presentation_times() {
    is_whole(&made("a.avi", "-c:v mpeg4 -bf 2 -c:a mp3"));
}

#[test]
fn mkv_with_b_frames() {
    is_whole(&made(
        "a.mkv",
        "-c:v libx264 -preset veryfast -bf 3 -c:a libvorbis",
    ));
}

#[test]
fn mpeg_ts_that_begins_late() {
    is_whole(&made(
        "a.ts",
        &format!("{H264} -c:a aac -output_ts_offset 7000"),
    ));
}

#[test]
fn flv_of_a_streaming_tool() {
    is_whole(&made("a.flv", &format!("{H264} -c:a aac")));
}

#[test]
fn interlaced_mpeg2_of_a_camcorder() {
    let rest = "-vf interlace -c:v mpeg2video -flags +ildct+ilme -c:a mp2";
    is_whole(&made("a.mpg", rest));
}

/// A browser's MediaRecorder cannot seek: no length, no index.
#[test]
fn live_webm_says_no_length() {
    let rest = "-c:v libvpx -deadline realtime -cpu-used 8 -c:a libopus -f webm -live 1";
    is_whole(&made("a.webm", rest));
}

#[test]
fn fragmented_mp4_of_a_browser() {
    let rest = format!("{H264} -g 15 -c:a libopus -movflags frag_keyframe+empty_moov");
    is_whole(&made("a.mp4", &rest));
}

#[test]
fn raw_h264_has_no_times() {
    let prepared = Bench::made("a.h264", &format!("{PICTURES} {H264} -bf 0")).prepare();
    assert_eq!(prepared.sizes(), [(320, 240)]);
    assert_eq!(prepared.kinds(), [Kind::Stills, Kind::Video]);
    // What states no rate is played at 25 frames a second unless its parameters say otherwise.
    prepared.lasts(3_000);
}

/// Another scene begins just before the end, where no frame of sound would begin.
#[test]
fn a_scene_just_before_the_end() {
    for seconds in ["3.005", "3.05"] {
        let pictures = format!(
            "-f lavfi -i color=black:size=64x48:rate=20:duration={seconds},\
             drawbox=color=white:t=fill:enable='gte(t,2.99)'"
        );
        let tone = format!("-f lavfi -i sine=duration={seconds}");
        let made = format!("{pictures} {tone} {H264} -c:a pcm_s16le");
        let prepared = Bench::made("a.mkv", &made).prepare();
        assert_eq!(prepared.timeline.cuts_ms, [0, 3_000]);
        prepared.lasts(3_150);
    }
}

/// A rest that is hardly there gets no segment of its own.
#[test]
fn a_length_just_behind_the_longest_segment() {
    let cuts = |seconds: &str, pictures: &str| {
        let made = format!("{pictures} -f lavfi -i sine=duration={seconds} {H264} -c:a pcm_s16le");
        let prepared = Bench::made("a.mkv", &made).prepare();
        prepared.timeline.cuts_ms
    };
    for seconds in ["4", "4.005", "4.9", "12", "12.005", "12.05", "13.5"] {
        let pictures = format!("-f lavfi -i testsrc2=size=64x48:rate=20:duration={seconds}");
        let expected = if seconds.starts_with('4') {
            &[0][..]
        } else {
            &[0, 4_000]
        };
        assert_eq!(cuts(seconds, &pictures), expected, "{seconds}");
    }
    for seconds in ["8", "8.005", "8.05", "9.5"] {
        assert_eq!(cuts(seconds, ""), [0], "{seconds}");
    }
}

#[test]
fn pictures_alone() {
    let prepared = Bench::made("a.mp4", &format!("{PICTURES} {H264}")).prepare();
    prepared.lasts(3_000);
    assert_eq!(prepared.kinds(), [Kind::Stills, Kind::Video]);
}

#[test]
fn sound_alone() {
    for (name, rest) in [
        ("a.m4a", "-c:a aac"),
        ("a.mp3", "-c:a mp3"),
        ("a.wav", "-c:a pcm_s16le -ac 2 -ar 44100"),
        ("a.ogg", "-c:a libopus"),
        ("a.flac", "-c:a flac"),
    ] {
        let prepared = Bench::made(name, &format!("{TONE} {rest}")).prepare();
        prepared.lasts(3_000);
        assert_eq!(prepared.timeline.content, Content::AudioOnly);
        assert_eq!(prepared.kinds(), [Kind::Audio]);
        let downloads = &prepared.timeline.downloads;
        assert_eq!(downloads.len(), 1);
        assert_eq!(downloads[0].media_type, "audio/mp4");
    }
}

#[test]
fn the_cover_of_a_song_is_not_a_film() {
    let cover = "-f lavfi -i color=red:size=300x300:duration=1:rate=1";
    let rest = "-map 0 -map 1 -frames:v 1 -c:v mjpeg -disposition:v attached_pic -c:a aac";
    let prepared = Bench::made("a.m4a", &format!("{TONE} {cover} -f mp4 {rest}")).prepare();
    assert_eq!(prepared.kinds(), [Kind::Audio]);
    prepared.lasts(3_000);
}

/// White on its left; `ffmpeg` writes the display matrix that turns counterclockwise.
#[test]
fn a_turned_phone_is_shown_upright() {
    for (turn, white) in [
        (90, [false, false, true, true]),
        (180, [false, true, false, true]),
        (270, [true, true, false, false]),
    ] {
        let pictures = "-f lavfi -i color=black:size=320x240:rate=10:duration=2 \
             -vf drawbox=w=160:h=240:color=white:t=fill";
        let prepared = Bench::made("flat.mp4", &format!("{pictures} {H264}"))
            .then(
                "a.mp4",
                &format!("-i INPUT -c copy -metadata:s:v rotate={turn}"),
            )
            .prepare();
        let size = if turn == 180 { (320, 240) } else { (240, 320) };
        assert_eq!(prepared.sizes(), [size], "turned by {turn}");
        let quarters = quarters(&prepared.largest());
        assert_eq!(
            quarters.map(|value| value > 128),
            white,
            "{turn}: {quarters:?}"
        );
    }
}

#[test]
fn a_look_says_what_a_recording_is() {
    let probe = |bench: &Bench| {
        let mut probe = Command::new(transcoder());
        probe.arg("probe").arg(&bench.input).output().unwrap()
    };
    let said = probe(&Bench::made(
        "a.mkv",
        &format!("{PICTURES} {TONE} {H264} -c:a aac"),
    ));
    assert!(said.status.success());
    let said: Probe = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(said.content, Content::Natural);
    assert_eq!((said.source.width, said.source.height), (320, 240));
    assert_eq!(said.source.audio_codec.as_deref(), Some("aac"));
    assert!(said.duration_ms.unwrap().abs_diff(3_000) < 100);
    let refused = probe(&Bench::with("a.mp4", b"no film"));
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stdout.is_empty());
}

const TEXT: &str = "1\n00:00:00,500 --> 00:00:01,500\n<i>Sow</i> in rows & water\n\n\
                    2\n00:00:02,000 --> 00:00:09,000\nHarvest\n";

#[test]
fn text_tracks_become_captions() {
    for (name, form) in [("a.mp4", "mov_text"), ("a.mkv", "srt"), ("b.mkv", "ass")] {
        let lesson = Bench::made("plain.mkv", &format!("{PICTURES} {TONE} {H264} -c:a aac"));
        let text = lesson.folder.path().join("text.srt");
        std::fs::write(&text, TEXT).unwrap();
        let copy = format!(
            "-i INPUT -i {} -map 0 -map 1 -c copy -c:s {form} -metadata:s:s:0 language=chi",
            text.display()
        );
        let prepared = lesson.then(name, &copy).prepare();
        let caption = &prepared.timeline.captions[0];
        assert_eq!(caption.language.as_deref(), Some("chi"), "{name}");
        let vtt = std::fs::read_to_string(prepared.file(&caption.file)).unwrap();
        let end = prepared.timeline.duration_ms;
        let expected = format!(
            "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nSow in rows &amp; water\n\n\
             00:00:02.000 --> 00:00:{:02}.{:03}\nHarvest\n",
            end / 1_000,
            end % 1_000
        );
        assert_eq!(vtt, expected, "{name}");
        let master = std::fs::read_to_string(prepared.file("master.m3u8")).unwrap();
        assert!(master.contains("TYPE=SUBTITLES") && master.contains("LANGUAGE=\"chi\""));
        // HLS has the same in pieces.
        let list = std::fs::read_to_string(prepared.file("captions/0.m3u8")).unwrap();
        assert!(list.contains(",\n0/00000.vtt\n#EXT-X-ENDLIST"), "{list}");
        let piece = std::fs::read_to_string(prepared.file("captions/0/00000.vtt")).unwrap();
        let (_, cues) = vtt.split_once("\n\n").unwrap();
        assert!(piece.starts_with("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,"));
        assert!(piece.ends_with(&format!("\n\n{cues}")), "{piece}");
    }
}

#[test]
fn chapters_are_named_or_the_slides() {
    let slides = "-f lavfi -i color=black:size=320x240:rate=5:duration=30 \
         -vf drawbox=enable='between(t,11,22)':w=200:h=200:color=white:t=fill";
    let bench = Bench::made("a.mp4", &format!("{slides} {H264}"));
    let text = bench.folder.path().join("chapters.txt");
    let named = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=20000\ntitle=Soil\n\
         [CHAPTER]\nTIMEBASE=1/1000\nSTART=20000\nEND=30000\ntitle=Seed\n";
    std::fs::write(&text, named).unwrap();
    let copy = format!(
        "-i INPUT -i {} -map_metadata 1 -map_chapters 1 -c copy",
        text.display()
    );
    let slides = std::fs::read(&bench.input).unwrap();
    let named = bench.then("b.mp4", &copy).prepare();
    let chapters = |prepared: &Prepared| -> Vec<(u64, Option<String>)> {
        let chapters = prepared.timeline.chapters.iter();
        chapters
            .map(|chapter| (chapter.start_ms, chapter.title.clone()))
            .collect()
    };
    let expected = [
        (0, Some("Soil".to_owned())),
        (20_000, Some("Seed".to_owned())),
    ];
    assert_eq!(chapters(&named), expected);
    let slides = Bench::with("a.mp4", &slides).prepare();
    let found = chapters(&slides);
    let starts: Vec<u64> = found.iter().map(|(start, _)| *start).collect();
    assert_eq!(starts.len(), 3, "{starts:?}");
    assert!(
        starts[1].abs_diff(11_000) <= 200 && starts[2].abs_diff(22_000) <= 200,
        "{starts:?}"
    );
    let index = slides.timeline.stills.iter().map(|still| still.at_ms);
    assert_eq!(
        index.collect::<Vec<_>>(),
        starts,
        "each slide has a picture"
    );
}

#[test]
fn wide_pixels_are_made_square() {
    let rest = format!("-vf setsar=4/3 {H264} -c:a aac");
    assert_eq!(made("a.mp4", &rest).sizes(), [(426, 240)]);
}

#[test]
fn odd_sizes_become_even() {
    for (width, height) in [(321, 241), (99, 75), (17, 300)] {
        let pictures = format!("-f lavfi -i testsrc2=size={width}x{height}:rate=10:duration=1");
        let prepared = Bench::made(
            "a.mkv",
            &format!("{pictures} -c:v libx264 -preset ultrafast -pix_fmt yuv444p"),
        )
        .prepare();
        for (w, h) in prepared.sizes() {
            assert!(w % 2 == 0 && h % 2 == 0 && w >= 2 && h >= 2, "{w}x{h}");
        }
    }
}

/// Phones drop to a few frames a second in the dark and hold a picture for seconds on a screen.
#[test]
fn a_variable_rate_keeps_its_times() {
    let rest =
        format!("-vf select='lt(n,15)+gte(n,15)*not(mod(n,7))' -fps_mode vfr {H264} -c:a aac");
    let prepared = made("a.mp4", &rest);
    prepared.lasts(3_000);
    assert_eq!(prepared.sizes(), [(320, 240)]);
}

#[test]
fn a_slow_show_of_slides_is_a_lecture_cut_at_its_slides() {
    let slides = "-f lavfi -i testsrc=size=640x360:rate=1/4:duration=12";
    let tone = "-f lavfi -i sine=duration=12";
    let rest = format!("-r 10 {H264} -c:a aac");
    let prepared = Bench::made("a.mp4", &format!("{slides} {tone} {rest}")).prepare();
    prepared.lasts(12_000);
    assert_eq!(prepared.timeline.content, Content::Lecture);
}

/// Next to nothing is coded of pictures between two that are as far apart as their coder may put them, even where
/// the first shows one slide and the second another.
#[test]
fn slides_change_on_time_though_most_pictures_say_nothing() {
    let slides = "-f lavfi -i testsrc=size=1920x1080:rate=1/8:duration=24,fps=10,\
         negate=enable='between(t,8,15.99)'";
    let coder = "-c:v libx264 -preset veryfast -bf 8 -b_strategy 0 -sc_threshold 0 -g 1000";
    let made = format!("{slides} -pix_fmt yuv420p {coder}");
    let prepared = Bench::made("a.mp4", &made).prepare();
    prepared.lasts(24_000);
    let cuts = &prepared.timeline.cuts_ms;
    assert!(
        [8_000, 16_000].iter().all(|cut| cuts.contains(cut)),
        "{cuts:?}"
    );
}

/// A flash and a tone at 1.4 s.
const MARKED: &str = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=3 \
     -f lavfi -i aevalsrc='if(between(t,1.4,1.8),sin(2*PI*440*t),0)':d=3:s=48000 \
     -vf drawbox=enable='between(t,1.399,1.799)':color=white:t=fill";

/// Whatever a container does with its times, what was together stays together.
#[test]
fn picture_and_sound_stay_together() {
    for (name, rest) in [
        ("a.mp4", format!("{H264} -c:a aac")),
        ("a.ts", format!("{H264} -c:a aac -muxdelay 2")),
        (
            "a.mkv",
            "-c:v libx264 -preset veryfast -bf 3 -c:a libopus".into(),
        ),
    ] {
        let prepared = Bench::made(name, &format!("{MARKED} {rest}")).prepare();
        assert_marks(&prepared, 1_400, 1_400);
    }
}

#[test]
fn b_frames_in_mp4_shift_nothing() {
    let rest = "-c:v libx264 -preset veryfast -bf 3 -c:a aac";
    let prepared = Bench::made("a.mp4", &format!("{MARKED} {rest}")).prepare();
    assert_marks(&prepared, 1_400, 1_400);
}

/// An edit list holds back the track that begins later.
#[test]
fn a_track_that_begins_later_stays_behind() {
    for (late, flash_ms, tone_ms) in [("v", 1_900, 1_400), ("a", 1_400, 1_900)] {
        let other = if late == "v" { "a" } else { "v" };
        let copy = format!("-itsoffset 0.5 -i INPUT -i INPUT -map 0:{late} -map 1:{other} -c copy");
        let prepared = Bench::made("whole.mp4", &format!("{MARKED} {H264} -c:a aac"))
            .then("a.mp4", &copy)
            .prepare();
        assert_marks(&prepared, flash_ms, tone_ms);
        prepared.lasts(3_500);
    }
}

/// A phone's trimming keeps the pictures back to a keyframe and hides them by an edit list.
#[test]
fn a_trimmed_start_stays_hidden() {
    let prepared = Bench::made("whole.mp4", &format!("{MARKED} {H264} -g 25 -c:a aac"))
        .then("a.mp4", "-ss 0.6 -i INPUT -c copy")
        .prepare();
    assert_marks(&prepared, 800, 800);
}

/// Flash and tone are where they should be: the flash to a picture's length at the rung's rate.
fn assert_marks(prepared: &Prepared, flash_ms: i64, tone_ms: i64) {
    let path = prepared.file("v240.mp4");
    let flash = brightness(&path)
        .into_iter()
        .find(|(_, value)| *value > 225.0)
        .map(|(at, _)| at)
        .unwrap();
    let loud = loudness(&path);
    let tone = loud.iter().position(|value| *value > 0.08).unwrap();
    let tone = i64::try_from(tone).unwrap() * 10;
    assert!((flash - flash_ms).abs() <= 70, "flash at {flash} ms");
    assert!((tone - tone_ms).abs() <= 30, "tone at {tone} ms");
}

/// Tags of what a rendition holds, as `ffprobe` names matrix, primaries and transfer.
fn colours(prepared: &Prepared, rendition: &str) -> String {
    let read = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-of", "csv=p=0"])
        .args([
            "-show_entries",
            "stream=color_space,color_primaries,color_transfer",
        ])
        .arg(prepared.rendition(rendition))
        .output()
        .unwrap();
    let tags: Vec<&str> = std::str::from_utf8(&read.stdout)
        .unwrap()
        .trim()
        .split(',')
        .collect();
    tags.join(" ")
}

#[test]
fn colours_are_said_as_they_are() {
    let tags = |name: &str| {
        format!("-vf setparams=colorspace={name}:color_primaries={name}:color_trc={name} {H264}")
    };
    for (arguments, expected) in [
        (tags("bt709"), "bt709 bt709 bt709"),
        (tags("smpte170m"), "smpte170m smpte170m smpte170m"),
        // Whoever says nothing gets what players guess.
        (H264.to_owned(), "smpte170m smpte170m smpte170m"),
        (format!("-vf scale=960:720 {H264}"), "bt709 bt709 bt709"),
    ] {
        let prepared = made("a.mp4", &arguments);
        let kinds = prepared.timeline.renditions.iter();
        for one in kinds.filter(|one| one.kind != Kind::Audio) {
            assert_eq!(colours(&prepared, &one.id), expected, "{arguments}");
        }
    }
}

/// Grey of three quarters is white paper in hybrid log-gamma (ITU-R BT.2408).
#[test]
fn a_phone_s_bright_pictures_keep_their_light() {
    let hlg = "format=yuv420p10le,setparams=colorspace=bt2020nc:color_primaries=bt2020:\
               color_trc=arib-std-b67:range=tv";
    let recording = format!(
        "-f lavfi -i color=0xbfbfbf:size=320x240:rate=15:duration=3 -vf {hlg} -c:v libx265 -preset ultrafast \
         -x265-params log-level=error:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc"
    );
    let prepared = Bench::made("a.mp4", &recording).prepare();
    assert_eq!(colours(&prepared, "v240"), "bt709 bt709 bt709");
    let seen = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(prepared.rendition("v240"))
        .args([
            "-frames:v",
            "1",
            "-pix_fmt",
            "yuv420p",
            "-f",
            "rawvideo",
            "-",
        ])
        .output()
        .unwrap();
    // Left as it was it would be 180.
    assert!((195..=210).contains(&seen.stdout[0]), "{}", seen.stdout[0]);
}

/// A rate that falls to a third halfway has a mean that neither half has.
#[test]
fn what_moves_fast_for_half_of_the_time_is_shown_as_fast() {
    let changing = "-vf select='lt(t,1.5)+not(mod(n,3))' -fps_mode vfr";
    let prepared = Bench::made(
        "a.mp4",
        &format!("-f lavfi -i testsrc2=size=320x240:rate=30:duration=3 {changing} {H264}"),
    )
    .prepare();
    let video = prepared.timeline.rendition("v240").unwrap();
    assert_eq!(video.frame_rate_milli, 30_000);
}

/// A slide that stands for three seconds lasts three seconds, although few of its pictures are needed.
#[test]
fn the_last_picture_stands_to_the_end() {
    let still = "-f lavfi -i smptebars=size=320x240:rate=25:duration=3";
    let prepared = Bench::made("a.mp4", &format!("{still} {H264}")).prepare();
    prepared.lasts(3_000);
}
