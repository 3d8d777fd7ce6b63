//! Rate and quality as a drawing (SVG 1.1) that needs nothing else.

use std::fmt::Write as _;

use super::{Comparison, Weighed};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
/// Room for the numbers beside the axes.
const MARGIN: f64 = 64.0;

/// Average rate to the right, quality upwards; `None` where no quality was measured.
#[must_use]
pub fn plot(comparison: &Comparison) -> Option<String> {
    let points: Vec<(&Weighed, f64, f64)> = [&comparison.a, &comparison.b]
        .into_iter()
        .filter_map(|file| Some((file, kilobits(file.average_bps), file.quality?.ssim_db)))
        .collect();
    if points.len() < 2 {
        return None;
    }
    let right = nice(points.iter().fold(0.0, |most, point| point.1.max(most)));
    let top = nice(points.iter().fold(0.0, |most, point| point.2.max(most)));
    let x = |rate: f64| MARGIN + rate / right * (WIDTH - 2.0 * MARGIN);
    let y = |quality: f64| HEIGHT - MARGIN - quality / top * (HEIGHT - 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    // Writing to a String cannot fail, here and below.
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let (across, up) = (x(share * right), y(share * top));
        let _ = write!(
            svg,
            "<path d=\"M{across:.1} {:.1}V{:.1}M{:.1} {up:.1}H{:.1}\" stroke=\"#ddd\"/>\n\
             <text x=\"{across:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{:.0}</text>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.1}</text>\n",
            y(0.0),
            y(top),
            x(0.0),
            x(right),
            y(0.0) + 18.0,
            share * right,
            x(0.0) - 6.0,
            up + 4.0,
            share * top,
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">kbit/s</text>\n\
         <text x=\"16\" y=\"{:.1}\" transform=\"rotate(-90 16 {:.1})\" \
         text-anchor=\"middle\">SSIM, dB</text>",
        WIDTH / 2.0,
        HEIGHT - 20.0,
        HEIGHT / 2.0,
        HEIGHT / 2.0,
    );
    for ((file, rate, quality), colour) in points.iter().zip(["#0b6", "#c40"]) {
        let _ = write!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\" text-anchor=\"middle\">{}</text>\n",
            x(*rate),
            y(*quality),
            x(*rate),
            y(*quality) - 10.0,
            label(file),
        );
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

#[allow(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
fn kilobits(bps: u64) -> f64 {
    bps as f64 / 1000.0
}

/// A round number a little above `most`.
fn nice(most: f64) -> f64 {
    let step = 10_f64.powf(most.max(0.1).log10().floor()) / 2.0;
    (most * 1.1 / step).ceil().max(1.0) * step
}

/// The name of a file, and its VMAF where there is one.
fn label(file: &Weighed) -> String {
    let vmaf = file.quality.and_then(|quality| quality.vmaf);
    let vmaf = vmaf.map_or(String::new(), |vmaf| format!(", VMAF {vmaf:.1}"));
    escaped(&file.file) + &vmaf
}

/// Text of a file's name as content of an element.
fn escaped(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Quality;

    fn file(name: &str, average_bps: u64, ssim_db: Option<f64>) -> Weighed {
        Weighed {
            file: name.into(),
            bytes: 1,
            duration_ms: 1_000,
            width: 2,
            height: 2,
            average_bps,
            peak_bps: average_bps,
            quality: ssim_db.map(|ssim_db| Quality {
                ssim: 0.9,
                ssim_db,
                psnr_db: 30.0,
                vmaf: (ssim_db > 12.0).then_some(91.25),
                pictures: 1,
            }),
        }
    }

    #[test]
    fn both_files_are_drawn_inside_and_names_are_text() {
        let comparison = Comparison {
            a: file("x/a<b>.mp4", 90_000, Some(11.0)),
            b: file("b.mp4", 240_000, Some(14.5)),
            rate_a_to_b: 0.4,
            vmaf_left_out: None,
        };
        let svg = plot(&comparison).unwrap();
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains("a&lt;b&gt;.mp4") && !svg.contains("<b>"));
        assert!(svg.contains("b.mp4, VMAF 91.2") && svg.matches("VMAF").count() == 1);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let unknown = Comparison {
            b: file("b.mp4", 240_000, None),
            ..comparison
        };
        assert!(plot(&unknown).is_none());
    }
}
