//! Makes whatever a decoder gives into upright, progressive, square-pixel pictures of one size.

use ffmpeg_next::filter::{self, Graph};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;

use crate::colours::Wide;
use crate::error::{Error, libav, undecodable};

/// What the graph was built for; when it changes midway, another graph is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    width: u32,
    height: u32,
    format: Pixel,
    aspect: (i32, i32),
    wide: Option<Wide>,
}

/// How a picture of another shape goes into the given size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is made to fit; the size has its shape already, or nearly.
    Stretch,
    /// It keeps its shape, with black beside or above it.
    Pad,
}

/// A filter graph that follows its input.
pub(crate) struct Normaliser {
    turn: u32,
    width: u32,
    height: u32,
    interlaced: bool,
    fit: Fit,
    built: Option<(Shape, Graph)>,
}

impl Normaliser {
    /// Everything comes out `width` × `height`, turned clockwise by `turn` degrees.
    pub(crate) fn new(turn: u32, width: u32, height: u32, interlaced: bool, fit: Fit) -> Self {
        Self {
            turn,
            width,
            height,
            interlaced,
            fit,
            built: None,
        }
    }

    /// Passes one frame whose time is in milliseconds, and hands on what comes out.
    pub(crate) fn pass(
        &mut self,
        frame: Video,
        mut out: impl FnMut(Video) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let shape = shape(&frame);
        if self.built.as_ref().is_none_or(|(known, _)| *known != shape) {
            self.drain(&mut out)?;
            self.built = Some((
                shape,
                self.build(shape).map_err(undecodable(
                    "build the filters",
                    "The pictures of the file cannot be used.",
                ))?,
            ));
        }
        let Some((_, graph)) = &mut self.built else {
            return Ok(());
        };
        // `add` takes over the frame's references, so the frame is of no more use here.
        graph
            .get("in")
            .ok_or_else(missing)?
            .source()
            .add(&frame)
            .map_err(libav("filter a picture"))?;
        pull(graph, &mut out)
    }

    /// Hands on what the filters still hold.
    pub(crate) fn drain(
        &mut self,
        mut out: impl FnMut(Video) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some((_, mut graph)) = self.built.take() else {
            return Ok(());
        };
        graph
            .get("in")
            .ok_or_else(missing)?
            .source()
            .flush()
            .map_err(libav("end the filters"))?;
        pull(&mut graph, &mut out)
    }

    /// Size of the picture itself inside the given size; even, since 4:2:0 halves both sides.
    fn inner(&self, shape: Shape) -> (u32, u32) {
        let (most_width, most_height) = (u64::from(self.width), u64::from(self.height));
        let (width, height) = displayed_shape(shape, self.turn);
        let (width, height) = (u64::from(width.max(1)), u64::from(height.max(1)));
        if self.fit == Fit::Stretch {
            return (self.width, self.height);
        }
        let even = |value: u64, most: u64| {
            let even = (value / 2 * 2).clamp(2, most.max(2));
            u32::try_from(even).unwrap_or(u32::MAX)
        };
        if width * most_height >= most_width * height {
            (self.width, even(height * most_width / width, most_height))
        } else {
            (even(width * most_height / height, most_width), self.height)
        }
    }

    fn build(&self, shape: Shape) -> Result<Graph, ffmpeg_next::Error> {
        let mut graph = Graph::new();
        let find = |name| filter::find(name).ok_or(ffmpeg_next::Error::FilterNotFound);
        let arguments = format!(
            "video_size={}x{}:pix_fmt={}:time_base=1/1000:pixel_aspect={}/{}",
            shape.width,
            shape.height,
            ffmpeg_next::ffi::AVPixelFormat::from(shape.format) as i32,
            shape.aspect.0,
            shape.aspect.1,
        );
        graph.add(&find("buffer")?, "in", &arguments)?;
        graph.add(&find("buffersink")?, "out", "")?;
        let mut steps = Vec::new();
        if self.interlaced {
            // The filter counts in half its input's unit, whatever its mode.
            steps.push("bwdif=mode=send_frame:deint=interlaced,settb=1/1000".to_owned());
        }
        steps.extend(match self.turn {
            90 => Some("transpose=clock".to_owned()),
            180 => Some("hflip,vflip".to_owned()),
            270 => Some("transpose=cclock".to_owned()),
            _ => None,
        });
        let (width, height) = self.inner(shape);
        // One thread: other cores have segments to encode meanwhile.
        steps.push(format!(
            "scale={width}:{height}:flags=bicubic:out_range=tv:threads=1,setsar=1"
        ));
        if let Some(wide) = shape.wide {
            steps.extend(["format=yuv420p10le".to_owned(), wide.narrowed()]);
        }
        steps.push("format=yuv420p".to_owned());
        if (width, height) != (self.width, self.height) {
            steps.push(format!("pad={}:{}:-1:-1:black", self.width, self.height));
        }
        graph
            .output("in", 0)?
            .input("out", 0)?
            .parse(&steps.join(","))?;
        graph.validate()?;
        Ok(graph)
    }
}

fn missing() -> Error {
    Error::Fault("the filter graph lost its ends".into())
}

fn pull(graph: &mut Graph, out: &mut impl FnMut(Video) -> Result<(), Error>) -> Result<(), Error> {
    loop {
        let mut frame = Video::empty();
        let mut sink = graph.get("out").ok_or_else(missing)?;
        match sink.sink().frame(&mut frame) {
            Ok(()) => out(frame)?,
            Err(ffmpeg_next::Error::Eof) => return Ok(()),
            Err(ffmpeg_next::Error::Other { errno }) if errno == libc::EAGAIN => return Ok(()),
            Err(error) => return Err(libav("filter a picture")(error)),
        }
    }
}

fn shape(frame: &Video) -> Shape {
    let aspect = frame.aspect_ratio();
    let aspect = (aspect.numerator(), aspect.denominator());
    Shape {
        width: frame.width(),
        height: frame.height(),
        format: frame.format(),
        aspect: if aspect.0 > 0 && aspect.1 > 0 {
            aspect
        } else {
            (1, 1)
        },
        wide: Wide::of(frame),
    }
}

/// Size of a frame as people see it: pixel aspect applied, then turned.
pub(crate) fn displayed(frame: &Video, turn: u32) -> (u32, u32) {
    displayed_shape(shape(frame), turn)
}

fn displayed_shape(shape: Shape, turn: u32) -> (u32, u32) {
    let width = i64::from(shape.width) * i64::from(shape.aspect.0) / i64::from(shape.aspect.1);
    // A forged aspect must not make a picture without end.
    let most = i64::from(shape.width) * 4;
    let width = u32::try_from(width.clamp(1, most)).unwrap_or(shape.width);
    if turn == 90 || turn == 270 {
        (shape.height, width)
    } else {
        (width, shape.height)
    }
}
