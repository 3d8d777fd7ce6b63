//! Reading what people bring, also what is hostile, and writing it again.

use proptest::prelude::*;

use super::*;

fn cue(from_ms: u64, until_ms: u64, text: &str) -> Cue {
    Cue {
        from_ms,
        until_ms,
        text: text.to_owned(),
    }
}

const TWO: &str = "1\n00:00:01,000 --> 00:00:02,500\n你好\n\n2\n00:01:00,250 --> 00:01:03,000\n<i>Water</i> & soil\nslowly\n";

fn two() -> Vec<Cue> {
    vec![
        cue(1_000, 2_500, "你好"),
        cue(60_250, 63_000, "Water & soil\nslowly"),
    ]
}

#[test]
fn an_srt_is_read_however_its_lines_end() {
    for ending in ["\n", "\r\n", "\r"] {
        let text = TWO.replace('\n', ending);
        assert_eq!(read_captions(text.as_bytes()).unwrap(), two());
    }
    // Nothing parts the cues, or more than one line does.
    assert_eq!(
        read_captions(TWO.replace("\n\n", "\n").as_bytes()).unwrap(),
        two()
    );
    assert_eq!(
        read_captions(TWO.replace("\n\n", "\n\n \n").as_bytes()).unwrap(),
        two()
    );
    assert_eq!(
        read_captions(TWO.replace("\n2\n", "\n2\n\n").as_bytes()).unwrap(),
        two()
    );
}

#[test]
fn words_of_an_srt_may_have_empty_lines_and_numbers() {
    let text =
        "7\n0:01.5 --> 0:02\nHow many?\n\n42\n8\n00:00:03.25 --> 00:00:04,000 X1:0 X2:9\n43\n";
    let expected = [cue(1_500, 2_000, "How many?\n42"), cue(3_250, 4_000, "43")];
    assert_eq!(read_captions(text.as_bytes()).unwrap(), expected);
    let unnumbered = "00:01,000 --> 00:02,000\n42\n\n00:03,000 --> 00:04,000\n43\n";
    let expected = [cue(1_000, 2_000, "42"), cue(3_000, 4_000, "43")];
    assert_eq!(read_captions(unnumbered.as_bytes()).unwrap(), expected);
}

#[test]
fn a_webvtt_is_read_without_what_stands_around_its_cues() {
    let text = "WEBVTT - Bees\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n\
                STYLE\n::cue { color: red }\n\nREGION\nid:a\n\nNOTE\n00:00 is no time\n\n\
                intro\n00:01.000 --> 00:02.000 align:start position:10%\n\
                <v Li Na>Sow &amp; <c.loud>water</c>\n<00:01.500>now\n\n\
                00:03.000 --> 00:04.000\n{\\frac{a}{b}} &lt;b&gt; &amp;lt; &nbsp;&bogus;\n\nlast words\n";
    let expected = [
        cue(1_000, 2_000, "Sow & water\nnow"),
        cue(3_000, 4_000, "{\\frac{a}{b}} <b> &lt; \u{a0}&bogus;"),
    ];
    assert_eq!(read_captions(text.as_bytes()).unwrap(), expected);
}

#[test]
fn only_what_is_a_tag_is_one() {
    let kept = [
        "if a<b then swap",
        "3 < 5 > 4",
        "a <bc> d",
        "<b\n>",
        "x<i y>z",
        "<>",
        "</>",
        "<5>",
    ];
    for text in kept {
        assert_eq!(plain(text, Markup::Others), text, "{text}");
    }
    let dropped = [
        ("<FONT color=\"#f00\">Hot</font>", "Hot"),
        ("<b.x>a</b><u>b</u><s>c</s>", "abc"),
        ("<ruby>漢<rt>kan</rt></ruby>", "漢kan"),
        ("<lang en-GB>colour</lang>", "colour"),
        ("<<i>a</i>>", "<a>"),
        ("{\\an8}above {a} {\\b", "above {a} {\\b"),
    ];
    for (text, expected) in dropped {
        assert_eq!(plain(text, Markup::Others), expected, "{text}");
    }
    assert_eq!(plain("&amp; {\\an8}", Markup::Others), "&amp;");
}

#[test]
fn letters_are_known_however_they_are_kept() {
    let with = |mark: &[u8], bytes: Vec<u8>| [mark, &bytes].concat();
    let wide = |order: fn(u16) -> [u8; 2]| TWO.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let (gb18030, _, _) = encoding_rs::GB18030.encode(TWO);
    let files = [
        with(b"\xef\xbb\xbf", TWO.as_bytes().to_vec()),
        with(b"\xff\xfe", wide(u16::to_le_bytes)),
        with(b"\xfe\xff", wide(u16::to_be_bytes)),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
        gb18030.into_owned(),
    ];
    for (index, file) in files.iter().enumerate() {
        assert_eq!(read_captions(file).unwrap(), two(), "file {index}");
    }
    let (tibetan, _, _) = encoding_rs::GB18030.encode("00:01,0 --> 00:02,0\nབོད་ཡིག\n");
    assert_eq!(read_captions(&tibetan).unwrap()[0].text, "བོད་ཡིག");
}

#[test]
fn other_letters_are_refused_and_not_guessed() {
    let timed = |words: &[u8]| [b"00:01,0 --> 00:02,0\n", words].concat();
    let latin = timed(b"L'\xe9tudiant a d\xe9j\xe0 mang\xe9 le g\xe2teau pr\xe9f\xe9r\xe9");
    let (big5, _, _) = encoding_rs::BIG5.encode("學生在田裡種水稻，老師說明天會下雨。");
    for file in [latin, timed(&big5), timed(b"\xff"), timed(b"\x81")] {
        assert_eq!(read_captions(&file), Err(CaptionError::Encoding));
    }
    let broken = [&b"\xff\xfe"[..], &[0x00, 0xd8], &[b'a', 0]].concat();
    assert_eq!(read_captions(&broken), Err(CaptionError::Encoding));
}

#[test]
fn what_is_no_captions_is_refused() {
    for file in [
        "",
        "WEBVTT",
        "WEBVTT\n\n",
        "Dear all, 3 --> 4\n",
        "00:01,0 --> 00:02,0\n<i></i>\n",
    ] {
        assert_eq!(
            read_captions(file.as_bytes()),
            Err(CaptionError::NoCue),
            "{file}"
        );
    }
    for time in [
        "00:00:01,000 --> ",
        "00:00:61,000 --> 00:01:00,000",
        "100:00:00,000 --> 100:00:01,000",
        "99999999999999999999:00:00 --> 1",
        "-00:00:01,000 --> 00:00:02,000",
        "00:00:01,0000 --> 00:00:02,000",
    ] {
        let file = format!("1\n{time}\nwords\n");
        let error = CaptionError::Time(2);
        assert_eq!(read_captions(file.as_bytes()), Err(error), "{time}");
    }
}

#[test]
fn what_is_too_much_is_refused_or_left_out() {
    let large = vec![b'\n'; MOST_CAPTION_BYTES + 1];
    assert_eq!(read_captions(&large), Err(CaptionError::TooLarge));
    let many = "0:0 --> 0:1\na\n".repeat(MOST_CUES + 1);
    assert_eq!(read_captions(many.as_bytes()), Err(CaptionError::TooMany));
    // All at once, for hours: HLS would repeat each in every piece.
    let heap = "0:00 --> 9:00:00\na\n".repeat(1_000);
    assert_eq!(read_captions(heap.as_bytes()).unwrap().len(), MOST_AT_ONCE);
    let long = format!("0:00 --> 0:01\n{}\n", "字".repeat(100_000));
    let letters = read_captions(long.as_bytes()).unwrap()[0]
        .text
        .chars()
        .count();
    assert_eq!(letters, MOST_LETTERS);
    // Much that might begin a tag or braces takes no time to speak of.
    for hostile in ["<", "{\\", "<b", "&", "<b><i>"] {
        let file = format!("0:00 --> 0:01\n{}\nwords\n", hostile.repeat(150_000));
        let _ = read_captions(file.as_bytes());
    }
}

#[test]
fn cues_come_in_order_and_backward_ones_not_at_all() {
    let text = "0:05 --> 0:06\nlate\n\n0:01 --> 0:02\nearly\n\n0:04 --> 0:03\nnever\n\n0:04 --> 0:04\nnever\n";
    let cues = read_captions(text.as_bytes()).unwrap();
    assert_eq!(
        cues,
        [cue(1_000, 2_000, "early"), cue(5_000, 6_000, "late")]
    );
    assert_eq!(cues_until(&cues, 1_500), [cue(1_000, 1_500, "early")]);
}

#[test]
fn nothing_that_is_written_is_markup() {
    let text = write_captions(&[cue(3_661_004, 3_662_000, "a <b> & --> c\nd")]);
    let expected = "WEBVTT\n\n01:01:01.004 --> 01:01:02.000\na &lt;b&gt; &amp; --&gt; c\nd\n";
    assert_eq!(text, expected);
}

#[test]
fn pieces_follow_the_cuts_and_repeat_what_spans_them() {
    let timeline: Vec<u64> = (0..12).map(|number| number * 16_000).collect();
    let cuts = caption_cuts(&timeline);
    assert_eq!(cuts, [0, 64_000, 128_000]);
    let end_ms = 190_500;
    let cues = [
        cue(1_000, 2_000, "first"),
        cue(60_000, 130_000, "long"),
        cue(64_000, 65_000, "second"),
    ];
    let piece = |number| caption_piece(&cues, &cuts, number, end_ms);
    let head = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n";
    let long = "\n00:01:00.000 --> 00:02:10.000\nlong\n";
    let first = format!("{head}\n00:00:01.000 --> 00:00:02.000\nfirst\n{long}");
    let second = format!("{head}{long}\n00:01:04.000 --> 00:01:05.000\nsecond\n");
    assert_eq!(piece(0).unwrap(), first);
    assert_eq!(piece(1).unwrap(), second);
    assert_eq!(piece(2).unwrap(), format!("{head}{long}"));
    assert_eq!(piece(3), None);
    let list = caption_playlist(&cuts, end_ms, |number| format!("0/{number}.vtt"));
    let expected = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:64\n#EXT-X-PLAYLIST-TYPE:VOD\n\
                    #EXTINF:64.000,\n0/0.vtt\n#EXTINF:64.000,\n0/1.vtt\n#EXTINF:62.500,\n0/2.vtt\n\
                    #EXT-X-ENDLIST\n";
    assert_eq!(list, expected);
}

/// Text in which what means something is likely.
fn words() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("-->".to_owned()),
        Just("00:00:01,000 --> 00:00:02,000\n".to_owned()),
        Just("WEBVTT\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("<v ".to_owned()),
        Just("</i>".to_owned()),
        Just("{\\an8}".to_owned()),
        Just("&amp;".to_owned()),
        Just("\u{feff}".to_owned()),
        "\\PC{0,4}",
        "[0-9:,.]{0,9}",
    ];
    proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn whatever_is_read_can_be_written_and_read_again(text in words()) {
        if let Ok(cues) = read_captions(text.as_bytes()) {
            let written = write_captions(&cues);
            let markup = written.matches(['<', '>']).count();
            prop_assert_eq!(markup, cues.len(), "only of its own arrows: {}", written);
            prop_assert_eq!(read_captions(written.as_bytes()), Ok(cues));
        }
    }

    #[test]
    fn any_bytes_are_captions_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_captions(&bytes);
        let mut wide = b"\xff\xfe".to_vec();
        wide.extend(&bytes);
        let _ = read_captions(&wide);
    }

    #[test]
    fn damaged_captions_never_harm(flips in proptest::collection::vec((0..TWO.len(), any::<u8>()), 1..6)) {
        let mut bytes = TWO.as_bytes().to_vec();
        for (at, value) in flips {
            bytes[at] ^= value;
        }
        if let Ok(cues) = read_captions(&bytes) {
            prop_assert!(cues.iter().all(|cue| cue.from_ms < cue.until_ms && !cue.text.is_empty()));
        }
    }
}
