//! A comparison as people read it.

use std::fmt::Write as _;

use super::{Comparison, Weighed};

impl Comparison {
    /// One row for each figure, one column for each file.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut row = |name: &str, value: &dyn Fn(&Weighed) -> String| {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{name:<22}{:>18}{:>18}",
                value(&self.a),
                value(&self.b)
            );
        };
        row("", &|file| {
            let name = file.file.rsplit('/').next().unwrap_or(&file.file);
            name.chars().take(17).collect()
        });
        row("bytes", &|file| file.bytes.to_string());
        row("length, s", &|file| in_thousands(file.duration_ms));
        row("picture", &|file| format!("{}×{}", file.width, file.height));
        row("average, kbit/s", &|file| in_thousands(file.average_bps));
        row("peak of 10 s, kbit/s", &|file| in_thousands(file.peak_bps));
        let quality = |pick: fn(&super::Quality) -> String| {
            move |file: &Weighed| file.quality.as_ref().map_or("–".to_owned(), pick)
        };
        row("SSIM", &quality(|q| format!("{:.4}", q.ssim)));
        row("SSIM, dB", &quality(|q| format!("{:.2}", q.ssim_db)));
        row("PSNR, dB", &quality(|q| format!("{:.2}", q.psnr_db)));
        row("VMAF", &|file| {
            let vmaf = file.quality.and_then(|quality| quality.vmaf);
            vmaf.map_or("–".to_owned(), |vmaf| format!("{vmaf:.1}"))
        });
        let _ = writeln!(
            text,
            "\nThe first has {:.2}× the rate of the second.",
            self.rate_a_to_b
        );
        if let Some(why) = &self.vmaf_left_out {
            let _ = writeln!(text, "VMAF was left out: {why}.");
        }
        text
    }
}

/// Thousandths with a point.
fn in_thousands(thousandths: u64) -> String {
    format!("{}.{}", thousandths / 1000, thousandths % 1000 / 100)
}
