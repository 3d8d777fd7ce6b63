//! Turns an error's problem into a page when a browser asked for one.
