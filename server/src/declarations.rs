//! Compares declarations for the scripts with the types they are made from.

use std::path::Path;

/// The file `web/js/NAME` must say what `declarations` do, behind a line that names the `source`. With
/// `WRITE_TYPES` in the environment it is written first.
pub fn check(name: &str, source: &str, test: &str, imports: &str, declarations: &[String]) {
    let mut text = format!(
        "// Made from {source}; WRITE_TYPES=1 cargo test -p millet-server {test} writes it anew.\n"
    );
    if !imports.is_empty() {
        text.push_str(&format!("\n{imports}\n"));
    }
    for declaration in declarations {
        text.push_str("\nexport ");
        for line in declaration.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../web/js")).join(name);
    if std::env::var_os("WRITE_TYPES").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
}
