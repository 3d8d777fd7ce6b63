//! Calls that the safe wrapper does not offer. The only `unsafe` around libav.
#![allow(unsafe_code, reason = "libav is a C library")]

use ffmpeg_next::ffi;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::{codec, format, frame, media, software};

/// A stream that comes without a container.
pub(crate) struct Bare<'a> {
    pub(crate) kind: media::Type,
    pub(crate) codec: codec::Id,
    /// The codec's own header; empty where the stream carries it itself.
    pub(crate) header: &'a [u8],
    /// Samples a second and channels; 0 for pictures.
    pub(crate) rate: u32,
    pub(crate) channels: u32,
}

/// The same in the form that a demuxer gives.
pub(crate) fn parameters(bare: &Bare<'_>) -> Result<codec::Parameters, ffmpeg_next::Error> {
    let mut parameters = codec::Parameters::new();
    parameters.set_medium(bare.kind);
    parameters.set_id(bare.codec);
    let padding = ffi::AV_INPUT_BUFFER_PADDING_SIZE as usize;
    let too_long = ffmpeg_next::Error::Other {
        errno: libc::EINVAL,
    };
    let header_bytes = i32::try_from(bare.header.len()).map_err(|_| too_long)?;
    let rate = i32::try_from(bare.rate).map_err(|_| too_long)?;
    let channels = i32::try_from(bare.channels).map_err(|_| too_long)?;
    // SAFETY: the parameters are live and ours alone. The header is copied into memory of libav's
    // own allocator, zeroed and with the padding that its readers rely on; who frees the parameters
    // frees it too.
    unsafe {
        let raw = &mut *parameters.as_mut_ptr();
        if header_bytes > 0 {
            let memory = ffi::av_mallocz(bare.header.len() + padding).cast::<u8>();
            if memory.is_null() {
                return Err(ffmpeg_next::Error::Other {
                    errno: libc::ENOMEM,
                });
            }
            std::ptr::copy_nonoverlapping(bare.header.as_ptr(), memory, bare.header.len());
            raw.extradata = memory;
            raw.extradata_size = header_bytes;
        }
        if channels > 0 {
            raw.sample_rate = rate;
            ffi::av_channel_layout_default(&raw mut raw.ch_layout, channels);
        }
    }
    Ok(parameters)
}

/// Why the file could not be read further, where its end is not the reason.
pub(crate) fn reading_failed(input: &format::context::Input) -> Option<ffmpeg_next::Error> {
    // SAFETY: the context is live for as long as the reference, and so is what it reads from, if there is such;
    // the field is a plain number.
    let error = unsafe {
        let io = (*input.as_ptr()).pb;
        if io.is_null() { 0 } else { (*io).error }
    };
    (error < 0 && error != ffi::AVERROR_EOF).then(|| error.into())
}

/// Samples that an opened audio encoder puts before the first real one.
pub(crate) fn initial_padding(encoder: &codec::Context) -> i64 {
    // SAFETY: the context is live for as long as the reference; the field is a plain number.
    i64::from(unsafe { (*encoder.as_ptr()).initial_padding })
}

/// Bounds every single allocation of libav in this process.
pub(crate) fn bound_allocations(bytes: usize) {
    // SAFETY: sets a global number; called before any other thread runs.
    unsafe { ffi::av_max_alloc(bytes) }
}

/// Gives the memory of every picture back to the system when it is freed. Left alone, the allocator
/// would learn to keep it, for each thread.
pub(crate) fn give_memory_back() {
    // SAFETY: sets a number of the allocator; called before any other thread runs.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 256 << 10);
    }
}

/// Tells libav to write nothing below errors to standard error.
pub(crate) fn quiet() {
    // SAFETY: sets a global number; called before any other thread runs.
    unsafe { ffi::av_log_set_level(ffi::AV_LOG_FATAL) }
}

/// A sound frame whose layout the container did not say gets the usual one for its channels.
pub(crate) fn complete_layout(frame: &mut frame::Audio) {
    if frame.channel_layout().bits() == 0 {
        let channels = i32::from(frame.channels().max(1));
        frame.set_channel_layout(ffmpeg_next::ChannelLayout::default(channels));
    }
}

/// The header bytes that an opened encoder wrote.
pub(crate) fn extradata(encoder: &codec::Context) -> Vec<u8> {
    // SAFETY: the context is live; libav keeps `extradata_size` readable bytes behind the pointer,
    // and null only with size 0.
    unsafe {
        let context = &*encoder.as_ptr();
        let size = usize::try_from(context.extradata_size).unwrap_or(0);
        if context.extradata.is_null() || size == 0 {
            return Vec::new();
        }
        std::slice::from_raw_parts(context.extradata, size).to_vec()
    }
}

/// A frame with the pictures of another, in the same memory; nobody may write to either from then on.
pub(crate) fn shared(frame: &frame::Video) -> Result<frame::Video, ffmpeg_next::Error> {
    let mut copy = frame::Video::empty();
    copy.set_format(frame.format());
    copy.set_width(frame.width());
    copy.set_height(frame.height());
    // SAFETY: both frames are live. Every buffer that the planes point into gets a reference of its own,
    // which keeps it alive and makes libav take it for read-only; pictures have no more than eight of them.
    unsafe {
        let (from, to) = (&*frame.as_ptr(), &mut *copy.as_mut_ptr());
        for (place, buffer) in to.buf.iter_mut().zip(&from.buf) {
            if buffer.is_null() {
                continue;
            }
            *place = ffi::av_buffer_ref(*buffer);
            if place.is_null() {
                return Err(ffmpeg_next::Error::Other {
                    errno: libc::ENOMEM,
                });
            }
        }
        to.data = from.data;
        to.sample_aspect_ratio = from.sample_aspect_ratio;
        to.linesize = from.linesize;
        to.extended_data = to.data.as_mut_ptr();
    }
    Ok(copy)
}

/// Has a scaler of pictures in the colours of BT.709, at limited range, bring them to those of BT.601.
pub(crate) fn recolour(scaler: &mut software::scaling::Context) -> Result<(), ffmpeg_next::Error> {
    let full = i32::from(scaler.output().format == Pixel::YUVJ420P);
    // SAFETY: the scaler is live and ours alone; both tables are libswscale's own and never change.
    let done = unsafe {
        let from = ffi::sws_getCoefficients(ffi::SWS_CS_ITU709);
        let to = ffi::sws_getCoefficients(ffi::SWS_CS_ITU601);
        let (brightness, one) = (0, 1 << 16);
        ffi::sws_setColorspaceDetails(scaler.as_mut_ptr(), from, 0, to, full, brightness, one, one)
    };
    match done {
        error if error < 0 => Err(error.into()),
        _ => Ok(()),
    }
}

/// Whether the lines of every plane follow each other from the top; some decoders store them upside down.
pub(crate) fn runs_down(frame: &frame::Video) -> bool {
    // SAFETY: the frame is live; the field is an array of plain numbers.
    let steps = unsafe { (*frame.as_ptr()).linesize };
    steps.iter().all(|step| *step >= 0)
}
