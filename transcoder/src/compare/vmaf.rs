//! VMAF (Netflix, model v0.6.1), scored by an `ffmpeg` that has libvmaf, where there is one.
//!
//! The program starts before this process is shut in, and never sees a file: it gets pictures that
//! were decoded inside, on its standard input, the reference's to the left of the rendition's.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};

use ffmpeg_next::frame::Video;

/// Names the program; without it, `ffmpeg` of the PATH is tried.
const PROGRAM: &str = "MILLET_VMAF_FFMPEG";

/// Parts the two pictures and brings their shorter side to 720, for which sizes the model is usual.
const GRAPH: &str = "[0:v]split[left][right];\
    [left]crop=iw/2:ih:0:0,scale='if(gt(iw,ih),-2,720)':'if(gt(iw,ih),720,-2)':flags=bicubic[source];\
    [right]crop=iw/2:ih:iw/2:0,scale='if(gt(iw,ih),-2,720)':'if(gt(iw,ih),720,-2)':flags=bicubic[made];\
    [made][source]libvmaf=n_threads=";

/// Scorers of two files, or why there are none.
#[derive(Debug)]
pub struct Judges(Result<[Judge; 2], String>);

impl Judges {
    /// Starts them. To be called before the process is shut in.
    #[must_use]
    pub fn start() -> Self {
        Self(find().and_then(|program| Ok([Judge::start(&program)?, Judge::start(&program)?])))
    }

    pub(super) fn into_pair(self) -> ([Option<Judge>; 2], Option<String>) {
        match self.0 {
            Ok(judges) => (judges.map(Some), None),
            Err(why) => ([None, None], Some(why)),
        }
    }
}

/// A program with libvmaf.
fn find() -> Result<OsString, String> {
    let named = std::env::var_os(PROGRAM);
    let program = named.clone().unwrap_or_else(|| "ffmpeg".into());
    let name = program.display();
    let listed = Command::new(&program)
        .args(["-hide_banner", "-filters"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match named {
            Some(_) => format!("{name}, which {PROGRAM} names, cannot be started: {error}"),
            None => format!("there is no ffmpeg on the PATH, and {PROGRAM} names none"),
        })?;
    if has_libvmaf(&String::from_utf8_lossy(&listed.stdout)) {
        Ok(program)
    } else {
        Err(format!(
            "{name} has no libvmaf; {PROGRAM} may name one that has"
        ))
    }
}

/// Whether the filter is in the list of `ffmpeg -filters`: signs, name, pads, description.
fn has_libvmaf(filters: &str) -> bool {
    filters
        .lines()
        .any(|line| line.split_whitespace().nth(1) == Some("libvmaf"))
}

/// Scores one file.
#[derive(Debug)]
pub(super) struct Judge {
    child: Child,
    /// Closed when the program hears nothing more.
    pictures: Option<ChildStdin>,
    /// One picture as it is written.
    frame: Vec<u8>,
}

impl Judge {
    fn start(program: &OsString) -> Result<Self, String> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut child = Command::new(program)
            .args(["-hide_banner", "-nostats", "-v", "level+info"])
            .args(["-f", "yuv4mpegpipe", "-i", "-"])
            .args(["-lavfi", &format!("{GRAPH}{threads}")])
            .args(["-f", "null", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
        let pictures = child.stdin.take();
        Ok(Self {
            child,
            pictures,
            frame: Vec::new(),
        })
    }

    /// Takes a pair of pictures of one size, planar 4:2:0.
    pub(super) fn pair(&mut self, reference: &Video, coded: &Video) {
        let Some(pictures) = &mut self.pictures else {
            return;
        };
        let first = self.frame.is_empty();
        self.frame.clear();
        if first {
            self.frame.extend(header(reference).bytes());
        }
        beside(&mut self.frame, reference, coded);
        if pictures.write_all(&self.frame).is_err() {
            // It ended early; its own words say why.
            self.pictures = None;
        }
    }

    /// The mean, or why there is none.
    pub(super) fn finish(mut self) -> Result<f64, String> {
        self.pictures = None;
        let mut said = Vec::new();
        if let Some(mut words) = self.child.stderr.take() {
            // What came before an error is still worth reading.
            let _ = words.read_to_end(&mut said);
        }
        let ended = self.child.wait();
        let words = String::from_utf8_lossy(&said);
        score(&words).ok_or_else(|| match (complaint(&words), ended) {
            (Some(complaint), _) => format!("ffmpeg said: {complaint}"),
            (None, Ok(status)) => format!("ffmpeg gave no score and ended with {status}"),
            (None, Err(error)) => format!("ffmpeg was lost: {error}"),
        })
    }
}

/// The header of YUV4MPEG2. The rate counts for nothing: every picture weighs the same.
fn header(picture: &Video) -> String {
    let (width, height) = (2 * picture.width(), picture.height());
    format!("YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420mpeg2\n")
}

/// Appends one picture of twice the width.
fn beside(frame: &mut Vec<u8>, left: &Video, right: &Video) {
    frame.extend(b"FRAME\n");
    for plane in 0..3 {
        let width = left.plane_width(plane) as usize;
        let rows = left.data(plane).chunks(left.stride(plane));
        let others = right.data(plane).chunks(right.stride(plane));
        let height = left.plane_height(plane) as usize;
        for (row, other) in rows.zip(others).take(height) {
            frame.extend_from_slice(&row[..width]);
            frame.extend_from_slice(&other[..width]);
        }
    }
}

/// The first error in what `ffmpeg` wrote; the last ones say only that there was one.
fn complaint(log: &str) -> Option<&str> {
    let tags = ["[error] ", "[fatal] "];
    log.lines()
        .find_map(|line| tags.iter().find_map(|tag| line.split_once(tag)))
        .map(|(_, words)| words.trim())
}

/// The figure in what the filter writes at its end: `[Parsed_libvmaf_5 @ 0x…] [info] VMAF score: 93.2`.
fn score(log: &str) -> Option<f64> {
    let line = log.lines().rfind(|line| line.contains("libvmaf"))?;
    let (_, figure) = line.rsplit_once("VMAF score: ")?;
    let figure: f64 = figure.trim().parse().ok()?;
    (0.0..=100.0).contains(&figure).then_some(figure)
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::format::Pixel;

    use super::*;

    /// What ffmpeg 9.0 with libvmaf writes.
    const LOG: &str = include_str!("libvmaf.txt");

    #[test]
    fn the_score_is_read_from_the_filters_own_words() {
        assert_eq!(score(LOG), Some(16.085_807));
        assert_eq!(score(&LOG.replace("VMAF score", "score")), None);
        assert_eq!(score("Unknown filter 'libvmaf'"), None);
        assert_eq!(score("[libvmaf @ 0x1] VMAF score: nan"), None);
        assert_eq!(score(""), None);
    }

    #[test]
    fn the_first_error_is_the_one_that_explains() {
        let log = "[info] Input #0\n\
            [Parsed_libvmaf_5 @ 0x5] [error] could not load libvmaf model\n\
            [fatal] Error : Invalid argument\n";
        assert_eq!(complaint(log), Some("could not load libvmaf model"));
        assert_eq!(complaint(LOG), None);
    }

    #[test]
    fn a_filter_of_another_name_is_not_libvmaf() {
        let listed = " .. libvmaf           VV->V      Calculate the VMAF between two streams.";
        assert!(has_libvmaf(listed));
        assert!(!has_libvmaf(
            " ... vmafmotion        V->V       Calculate the VMAF Motion score; see libvmaf."
        ));
    }

    #[test]
    fn pictures_stand_side_by_side_row_by_row() {
        let grey = |value: u8| {
            let mut frame = Video::new(Pixel::YUV420P, 4, 2);
            for plane in 0..3 {
                frame
                    .data_mut(plane)
                    .fill(value + u8::try_from(plane).unwrap());
            }
            frame
        };
        let (left, right) = (grey(10), grey(20));
        assert_eq!(header(&left), "YUV4MPEG2 W8 H2 F25:1 Ip A1:1 C420mpeg2\n");
        let mut frame = Vec::new();
        beside(&mut frame, &left, &right);
        let row = [10, 10, 10, 10, 20, 20, 20, 20];
        let chroma = [11, 11, 21, 21, 12, 12, 22, 22];
        assert_eq!(frame, [b"FRAME\n".as_slice(), &row, &row, &chroma].concat());
    }
}
