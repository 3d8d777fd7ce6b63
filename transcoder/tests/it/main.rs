//! Runs the real binary on files that the real tools make, and reads back what it wrote with them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod captions;
mod compare;
mod escape;
mod escape_calls;
mod kit;
mod live;
mod live_hostile;
mod live_kit;
mod live_voices;
mod prepare_again;
mod prepare_av1;
mod prepare_caps;
mod prepare_damaged;
mod prepare_inputs;
mod prepare_refused;
mod prepare_shared;
mod probe_damaged;
mod sandbox;
mod terminal;
