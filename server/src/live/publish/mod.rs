//! `millet.publish.v1`: the socket on which a teacher's browser sends a class's media. `wire` are its
//! messages, `socket` moves them; what becomes of the media is the owner's business.

mod ending;
pub mod rtmp;
pub mod socket;
pub mod wire;
