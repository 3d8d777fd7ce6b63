//! A comparison by another process, so that this one stays free to write a file.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use millet_manifest::ExitCode;

use super::Comparison;
use crate::error::Error;
use crate::limits;

/// Has this same program weigh two renditions and measure both against `reference`. When it ends badly it has said
/// why on standard error, and its exit code is the answer.
///
/// # Errors
/// When it cannot be started, or says what is no comparison.
pub fn compare_apart(
    a: &Path,
    b: &Path,
    reference: &Path,
) -> Result<Result<Comparison, ExitCode>, Error> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--with-parent", "compare", "--reference"])
        .arg(reference)
        .arg("--")
        .args([a, b])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = Vec::new();
    if let Some(out) = child.stdout.take() {
        out.take(limits::REPORT_BYTES).read_to_end(&mut said)?;
    }
    let ended = child.wait()?;
    if !ended.success() {
        let code = ended.code().and_then(|code| u8::try_from(code).ok());
        return match code {
            Some(code) => Ok(Err(ExitCode(code))),
            None => Err(Error::Fault(format!("the comparison ended with {ended}"))),
        };
    }
    serde_json::from_slice(&said)
        .map(Ok)
        .map_err(|error| Error::Fault(error.to_string()))
}
