//! What an input may cost. Every number here stands between a hostile file and the machine.

/// Longest recording, milliseconds.
pub const LONGEST_MS: i64 = 4 * 3600 * 1000;
/// Longest time in which nothing is heard or seen, all holes together, milliseconds. Silence and
/// still pictures must be made for it, and a forged time costs nothing.
pub const MOST_HOLES_MS: i64 = 20 * 60 * 1000;
/// From this length on it is a hole, milliseconds; a silent recording of a screen may show nothing
/// new for a while.
pub const HOLE_MS: i64 = 60 * 1000;
/// Largest input, bytes.
pub const LARGEST_BYTES: u64 = 16 << 30;
/// Most pixels of a picture: a little more than 4096 × 2304.
pub const MOST_PIXELS: i64 = 10_000_000;
/// Most streams in a container.
pub const MOST_STREAMS: usize = 32;
/// Largest single allocation of libav, bytes.
pub const LARGEST_ALLOCATION: usize = 512 << 20;
/// Processor time, seconds.
pub const CPU_S: u64 = 12 * 3600;
/// Processor time after [`CPU_S`] in which a process may say why it ends, seconds.
pub const CPU_LAST_WORDS_S: u64 = 5;
/// Address space, bytes; threads and allocators reserve far more than they use.
pub const ADDRESS_SPACE: u64 = 6 << 30;
/// Largest file written, bytes.
pub const FILE_BYTES: u64 = 8 << 30;
/// Largest file written by who only looks: what goes to standard output.
pub const REPORT_BYTES: u64 = 1 << 20;
/// Open files.
pub const OPEN_FILES: u64 = 128;

/// Most pixels of a class's picture: a little more than 1920 × 1200.
pub const LIVE_MOST_PIXELS: i64 = 2_500_000;
/// Largest coded picture or stretch of sound of a class, bytes.
pub const LIVE_FRAME_BYTES: usize = 1 << 20;
/// Longest packet of a speaker's voice: an Opus packet has at most 1275 bytes a frame (RFC 6716 section 3.2.1).
pub const LIVE_VOICE_BYTES: usize = 1275 * 3 + 2;
/// Address space of a live run, bytes.
pub const LIVE_ADDRESS_SPACE: u64 = 2 << 30;
/// Open files of a live run: the pipes, and what the allocator and threads may want for a moment.
pub const LIVE_OPEN_FILES: u64 = 16;
/// Demuxers of a class that is sent as a container.
pub const LIVE_DEMUXERS: &str = "matroska,mov,flv";
/// Decoders of a class.
pub const LIVE_DECODERS: &str = "h264,vp8,vp9,opus,aac";

/// Demuxers that are tried. None of them opens a second file or a network address.
pub const DEMUXERS: &str =
    "mov,matroska,avi,mpegts,mpeg,flv,ogg,wav,mp3,aac,flac,asf,amr,caf,m4v,mjpeg,h264,hevc";
/// Decoders that may run.
pub const DECODERS: &str = "h264,hevc,vp8,vp9,libdav1d,av1,libaom-av1,mpeg4,mpeg2video,mpeg1video,\
    h263,msmpeg4v3,wmv1,wmv2,wmv3,vc1,mjpeg,theora,flv,aac,mp3,mp3float,opus,libopus,vorbis,flac,\
    ac3,eac3,amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,alac,wmav1,wmav2,pcm_s16le,pcm_s16be,\
    pcm_s24le,pcm_f32le,pcm_u8,pcm_mulaw,pcm_alaw,adpcm_ms,adpcm_ima_wav,mp2,mp2float";
