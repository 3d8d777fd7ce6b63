//! Which colours the numbers of a picture stand for (ITU-T H.273). They are kept where every player knows them, and
//! said, so that none has to guess.

use ffmpeg_next::color::{Primaries, Space, TransferCharacteristic as Transfer};
use ffmpeg_next::encoder;
use ffmpeg_next::frame::Video;
use serde::{Deserialize, Serialize};

/// From so many lines on players take pictures that say nothing for BT.709.
const HIGH_DEFINITION: u32 = 720;

/// Of all pictures that are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Colours {
    /// ITU-R BT.601: cameras of a computer, old recordings, what was drawn in red, green and blue.
    Bt601,
    /// ITU-R BT.709: phones and high definition.
    Bt709,
}

impl Colours {
    /// Those that a decoded frame has once it went through the filters, [`Wide`] ones included.
    pub(crate) fn of(frame: &Video) -> Self {
        let says_nothing = frame.color_space() == Space::Unspecified;
        let is_high = frame.width().min(frame.height()) >= HIGH_DEFINITION;
        match frame.color_space() {
            _ if Wide::of(frame).is_some() || (says_nothing && is_high) => Self::Bt709,
            Space::BT709 => Self::Bt709,
            _ => Self::Bt601,
        }
    }

    /// Has the encoder say so.
    pub(crate) fn tag(self, encoder: &mut encoder::video::Video) {
        let (space, primaries, transfer) = match self {
            Self::Bt601 => (Space::SMPTE170M, Primaries::SMPTE170M, Transfer::SMPTE170M),
            Self::Bt709 => (Space::BT709, Primaries::BT709, Transfer::BT709),
        };
        encoder.set_colorspace(space);
        encoder.set_color_primaries(primaries);
        encoder.set_color_transfer_characteristic(transfer);
    }
}

/// More colours than small screens show (ITU-R BT.2020), and perhaps more light (ITU-R BT.2100).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wide {
    Colours,
    HybridLogGamma,
    PerceptualQuantiser,
}

impl Wide {
    pub(crate) fn of(frame: &Video) -> Option<Self> {
        match (frame.color_transfer_characteristic(), frame.color_space()) {
            (Transfer::ARIB_STD_B67, _) => Some(Self::HybridLogGamma),
            (Transfer::SMPTE2084, _) => Some(Self::PerceptualQuantiser),
            (_, Space::BT2020NCL | Space::BT2020CL) => Some(Self::Colours),
            _ => None,
        }
    }

    /// Filters that bring such pictures, of ten bits, to BT.709. What is as bright as white paper, 203 cd/m² by ITU-R
    /// BT.2408, stays bright; what is darker than a third of it stays as it is; highlights up to 1000 cd/m² get the
    /// room between.
    pub(crate) fn narrowed(self) -> String {
        let from = |transfer| format!("zscale=min=2020_ncl:pin=2020:tin={transfer}");
        let tone = ":t=linear:npl=203,format=gbrpf32le,zscale=p=709,\
             tonemap=mobius:param=0.3:peak=4.93:desat=0,zscale=t=709:m=709:r=limited";
        match self {
            Self::Colours => from("709") + ":t=709:m=709:p=709:r=limited",
            Self::HybridLogGamma => from("arib-std-b67") + tone,
            Self::PerceptualQuantiser => from("smpte2084") + tone,
        }
    }
}
