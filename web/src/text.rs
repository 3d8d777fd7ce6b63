//! All words, in Fluent, embedded.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};

use crate::Language;
use crate::render::Error;

const SOURCES: [(Language, &[&str]); 2] = [
    (
        Language::ZhCn,
        &[
            include_str!("../text/zh-CN/frame.ftl"),
            include_str!("../text/zh-CN/people.ftl"),
            include_str!("../text/zh-CN/learning.ftl"),
            include_str!("../text/zh-CN/teaching.ftl"),
            include_str!("../text/zh-CN/schedule.ftl"),
            include_str!("../text/zh-CN/support.ftl"),
            include_str!("../text/zh-CN/problems.ftl"),
            include_str!("../text/zh-CN/live.ftl"),
        ],
    ),
    (
        Language::En,
        &[
            include_str!("../text/en/frame.ftl"),
            include_str!("../text/en/people.ftl"),
            include_str!("../text/en/learning.ftl"),
            include_str!("../text/en/teaching.ftl"),
            include_str!("../text/en/schedule.ftl"),
            include_str!("../text/en/support.ftl"),
            include_str!("../text/en/problems.ftl"),
            include_str!("../text/en/live.ftl"),
        ],
    ),
];

/// Every word in every language.
pub struct Texts {
    bundles: Vec<(Language, FluentBundle<FluentResource>)>,
}

impl Texts {
    /// Parses the embedded sources.
    ///
    /// # Errors
    /// When a source is malformed or a key stands twice.
    pub fn new() -> Result<Self, Error> {
        let mut bundles = Vec::new();
        for (language, sources) in SOURCES {
            let code = language
                .code()
                .parse()
                .map_err(|_| Error::Text(language.code().to_owned()))?;
            let mut bundle = FluentBundle::new_concurrent(vec![code]);
            // The isolation marks would cost bytes on every number and break copied text.
            bundle.set_use_isolating(false);
            for source in sources {
                let resource = FluentResource::try_new((*source).to_owned())
                    .map_err(|(_, errors)| Error::Text(format!("{language:?}: {errors:?}")))?;
                bundle
                    .add_resource(resource)
                    .map_err(|errors| Error::Text(format!("{language:?}: {errors:?}")))?;
            }
            bundles.push((language, bundle));
        }
        Ok(Self { bundles })
    }

    /// The text behind `key`; `None` when the language has no such key.
    #[must_use]
    pub fn find(
        &self,
        language: Language,
        key: &str,
        args: Option<&FluentArgs<'_>>,
    ) -> Option<String> {
        let (_, bundle) = self.bundles.iter().find(|(known, _)| *known == language)?;
        let pattern = bundle.get_message(key)?.value()?;
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, args, &mut errors);
        Some(text.into_owned())
    }

    /// Whether the language has `key`.
    #[must_use]
    pub fn has(&self, language: Language, key: &str) -> bool {
        self.bundles
            .iter()
            .any(|(known, bundle)| *known == language && bundle.has_message(key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn keys(language: Language) -> BTreeSet<String> {
        let (_, sources) = SOURCES
            .iter()
            .find(|(known, _)| *known == language)
            .unwrap();
        sources
            .iter()
            .flat_map(|source| source.lines())
            .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned()))
            .collect()
    }

    #[test]
    fn every_language_has_the_same_keys() {
        assert_eq!(keys(Language::ZhCn), keys(Language::En));
        Texts::new().unwrap();
    }

    #[test]
    fn no_form_puts_what_people_type_into_an_address() {
        for (name, source) in crate::templates::ALL {
            for form in source.split("<form").skip(1) {
                let tag = form.split('>').next().unwrap();
                // What scripts send has no address.
                let kept = tag.contains("method=\"post\"") || tag.contains("data-form");
                assert!(kept, "{name}: <form{tag}>");
            }
        }
    }

    #[test]
    fn every_key_that_a_template_uses_exists() {
        let texts = Texts::new().unwrap();
        for (name, source) in crate::templates::ALL {
            for call in source
                .split("{{t \"")
                .skip(1)
                .chain(source.split("(t \"").skip(1))
            {
                let key = call.split('"').next().unwrap();
                // A key that is built from a word: some key must begin so.
                let known = match key.strip_suffix('-') {
                    Some(_) => keys(Language::En)
                        .iter()
                        .any(|known| known.starts_with(key)),
                    None => texts.has(Language::En, key),
                };
                assert!(known, "{name} uses {key}");
            }
        }
    }
}
