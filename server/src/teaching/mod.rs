//! The pages of teachers: writing a course, bringing its recordings, seeing who follows.

pub mod caption_routes;
pub mod course_routes;
pub mod learner_routes;
pub mod lesson_routes;
pub mod media;
pub mod outline_routes;
