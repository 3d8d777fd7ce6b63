//! How near coded pictures come to those they were made from, measured by libavfilter.

use ffmpeg_next::ffi::AVPixelFormat;
use ffmpeg_next::filter::{self, Graph};
use ffmpeg_next::frame::Video;

use crate::error::{Error, libav};

/// Mean over all pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Score {
    /// Structural similarity of luma and chroma, 0 to 1 (Wang et al., IEEE TIP 13(4), 2004).
    pub(crate) ssim: f64,
    /// Peak signal-to-noise ratio of the mean error, decibel.
    pub(crate) psnr: f64,
    /// Pictures that were compared.
    pub(crate) pictures: u32,
}

/// Compares pairs of pictures of one size, planar 4:2:0.
pub(crate) struct Scorer {
    graph: Graph,
    next: i64,
    ssim: f64,
    error: f64,
    pictures: u32,
}

impl Scorer {
    pub(crate) fn new(width: u32, height: u32) -> Result<Self, Error> {
        let graph = build(width, height).map_err(libav("build the measuring filters"))?;
        Ok(Self {
            graph,
            next: 0,
            ssim: 0.0,
            error: 0.0,
            pictures: 0,
        })
    }

    /// Takes over both frames.
    pub(crate) fn pair(&mut self, mut reference: Video, mut coded: Video) -> Result<(), Error> {
        for (name, frame) in [("reference", &mut reference), ("coded", &mut coded)] {
            frame.set_pts(Some(self.next));
            let mut end = self.graph.get(name).ok_or_else(missing)?;
            end.source()
                .add(frame)
                .map_err(libav("measure a picture"))?;
        }
        self.next += 1;
        self.collect()
    }

    fn collect(&mut self) -> Result<(), Error> {
        loop {
            let mut frame = Video::empty();
            let mut sink = self.graph.get("out").ok_or_else(missing)?;
            match sink.sink().frame(&mut frame) {
                Ok(()) => {}
                Err(ffmpeg_next::Error::Eof) => return Ok(()),
                Err(ffmpeg_next::Error::Other { errno }) if errno == libc::EAGAIN => return Ok(()),
                Err(error) => return Err(libav("measure a picture")(error)),
            }
            let metadata = frame.metadata();
            let figure = |name| metadata.get(name).and_then(|text| text.parse::<f64>().ok());
            if let (Some(ssim), Some(error)) =
                (figure("lavfi.ssim.All"), figure("lavfi.psnr.mse_avg"))
            {
                self.ssim += ssim;
                self.error += error;
                self.pictures += 1;
            }
        }
    }

    /// The mean; `None` when nothing was compared.
    pub(crate) fn finish(mut self) -> Result<Option<Score>, Error> {
        for name in ["reference", "coded"] {
            let mut end = self.graph.get(name).ok_or_else(missing)?;
            end.source()
                .flush()
                .map_err(libav("end the measuring filters"))?;
        }
        self.collect()?;
        if self.pictures == 0 {
            return Ok(None);
        }
        let count = f64::from(self.pictures);
        // Equal pictures have no error and would have no finite figure.
        let error = (self.error / count).max(1e-4);
        Ok(Some(Score {
            ssim: self.ssim / count,
            psnr: 10.0 * (255.0 * 255.0 / error).log10(),
            pictures: self.pictures,
        }))
    }
}

fn build(width: u32, height: u32) -> Result<Graph, ffmpeg_next::Error> {
    let mut graph = Graph::new();
    let find = |name| filter::find(name).ok_or(ffmpeg_next::Error::FilterNotFound);
    let arguments = format!(
        "video_size={width}x{height}:pix_fmt={}:time_base=1/1000:pixel_aspect=1/1",
        AVPixelFormat::AV_PIX_FMT_YUV420P as i32
    );
    graph.add(&find("buffer")?, "reference", &arguments)?;
    graph.add(&find("buffer")?, "coded", &arguments)?;
    graph.add(&find("buffersink")?, "out", "")?;
    graph
        .output("reference", 0)?
        .output("coded", 0)?
        .input("out", 0)?
        .parse("[reference]split[a][b];[coded][a]ssim[similar];[similar][b]psnr[out]")?;
    graph.validate()?;
    Ok(graph)
}

fn missing() -> Error {
    Error::Fault("the measuring filters lost their ends".into())
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::format::Pixel;

    use super::*;

    fn grey(value: u8) -> Video {
        let mut frame = Video::new(Pixel::YUV420P, 64, 48);
        for plane in 0..3 {
            frame.data_mut(plane).fill(value);
        }
        frame
    }

    #[test]
    fn equal_pictures_score_best_and_an_error_of_one_level_48_decibel() {
        let score = |other: u8| {
            let mut scorer = Scorer::new(64, 48).unwrap();
            for _ in 0..3 {
                scorer.pair(grey(90), grey(other)).unwrap();
            }
            scorer.finish().unwrap().unwrap()
        };
        let same = score(90);
        assert_eq!(same.pictures, 3);
        assert!(same.ssim > 0.999 && same.psnr > 80.0, "{same:?}");
        let other = score(91);
        assert!((other.psnr - 48.13).abs() < 0.1, "{other:?}");
        assert!(Scorer::new(64, 48).unwrap().finish().unwrap().is_none());
    }
}
