//! Starts PostgreSQL and Garage on free loopback ports in a temporary folder, runs a command with
//! their addresses in its environment, stops them and removes the folder.
//!
//! `test-servers COMMAND [ARGUMENT …]`; the exit status is the command's.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match millet_tests::servers::run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("test-servers: {error}");
            ExitCode::FAILURE
        }
    }
}
