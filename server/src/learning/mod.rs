//! Learning: who takes a course, what was watched, what was completed, and the credential.

pub mod access;
pub mod cohorts;
pub mod credentials;
pub mod enrolment;
pub mod evidence;
pub mod lesson_routes;
pub mod my_routes;
pub mod progress;
pub mod roster;
pub mod routes;
pub mod watched;
