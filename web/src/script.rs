//! Scripts as a browser needs them: the comments are for people, and a phone would pay for them.

/// Leaves out comments that have whole lines of their own; code stays as it is, line by line.
///
/// Only for this project's modules: no template literal of theirs may hold such a line.
pub(crate) fn without_comments(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut inside = false;
    for line in source.lines() {
        let text = line.trim();
        let opens = text.starts_with("/*");
        if inside || opens {
            inside = !text.ends_with("*/");
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
        let source = "// @ts-check\n/**\n * Says.\n * @param {string} a\n */\n\nfunction say(a) {\n  // why\n  /** @type {string} */\n  const b = \"http://x\"; // kept\n  return /* kept */ a + b;\n}\n";
        assert_eq!(
            without_comments(source),
            "function say(a) {\n  const b = \"http://x\"; // kept\n  return /* kept */ a + b;\n}\n"
        );
    }
}
