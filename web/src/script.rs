//! Scripts as a browser needs them: the comments are for people, and a phone would pay for them.

/// Leaves out comments that begin a line; code stays as it is, line by line.
///
/// Only for this project's modules: no template literal of theirs may hold such a line.
pub(crate) fn without_comments(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut inside = false;
    for line in source.lines() {
        let text = line.trim();
        if inside || text.starts_with("/*") {
            let (ended, rest) = match text.split_once("*/") {
                Some((_, rest)) => (true, rest.trim()),
                None => (false, ""),
            };
            inside = !ended;
            // A type may stand before code: `/** @type {Tus} */ (window).tus`.
            if !rest.is_empty() {
                kept.push_str(rest);
                kept.push('\n');
            }
        } else if !text.is_empty() && !text.starts_with("//") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::without_comments;

    #[test]
    fn code_stays_and_whole_comments_go() {
        let source = "// @ts-check\n/**\n * Says.\n * @param {string} a\n */\n\nfunction say(a) {\n  // why\n  /** @type {string} */\n  const b = \"http://x\"; // kept\n  return (\n    /** @type {string} */ (a) + b\n  );\n}\n";
        assert_eq!(
            without_comments(source),
            "function say(a) {\n  const b = \"http://x\"; // kept\n  return (\n(a) + b\n  );\n}\n"
        );
    }
}
