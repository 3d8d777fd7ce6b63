//! Calls that the safe wrapper does not offer. The only `unsafe` around libav.
#![allow(unsafe_code, reason = "libav is a C library")]

use ffmpeg_next::ffi;
use ffmpeg_next::format::context::Output;
use ffmpeg_next::{codec, frame};

/// Ends the present fragment of a muxer that was opened with `frag_custom`.
pub(crate) fn flush_fragment(output: &mut Output) -> Result<(), ffmpeg_next::Error> {
    // SAFETY: the context is live, its header is written (callers write packets only after it), and
    // a null packet asks a muxer with AVFMT_ALLOW_FLUSH, as mp4 is, to flush.
    let result = unsafe { ffi::av_write_frame(output.as_mut_ptr(), std::ptr::null_mut()) };
    if result < 0 {
        Err(ffmpeg_next::Error::from(result))
    } else {
        Ok(())
    }
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
