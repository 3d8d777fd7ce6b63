//! From a typed page to HTML.

use handlebars::Handlebars;
use serde::Serialize;

use crate::Language;
use crate::assets::{self, Assets};
use crate::helpers;
use crate::text::Texts;

/// Why something could not be rendered. Every case is a fault of this program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A template is malformed.
    #[error("template: {0}")]
    Template(#[from] Box<handlebars::TemplateError>),
    /// A template and its page do not fit.
    #[error("rendering: {0}")]
    Render(#[from] handlebars::RenderError),
    /// A Fluent source is malformed.
    #[error("text: {0}")]
    Text(String),
}

/// A page: one struct for each template.
pub trait Page: Serialize {
    /// Name of the template.
    const TEMPLATE: &'static str;
}

/// What stands around every page.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Frame {
    /// Language of the page.
    pub language: Language,
    /// Path of this page with its query, for the language switch.
    pub path: String,
    /// Name of the signed-in person; absent for a visitor.
    pub person: Option<String>,
    /// What the person may see.
    pub navigation: Navigation,
    /// A sentence about what was just done.
    pub notice: Option<Notice>,
}

/// Which parts of the system the person may see.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Navigation {
    /// Teaches courses.
    pub teacher: bool,
    /// Helps households.
    pub helper: bool,
    /// Administers areas and accounts.
    pub administrator: bool,
    /// Unread notices about the own household's plan.
    pub plan_news: i64,
    /// Unread notices about households that the person helps.
    pub support_news: i64,
}

/// A sentence at the top of a page; the key of its text.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    /// Text key below `notice-`.
    pub key: &'static str,
}

/// Templates and words, parsed once.
pub struct Renderer {
    templates: Handlebars<'static>,
    texts: std::sync::Arc<Texts>,
    assets: std::sync::Arc<Assets>,
}

#[derive(Serialize)]
struct Document<'a, P> {
    frame: &'a Frame,
    page: &'a P,
}

impl Renderer {
    /// Parses everything that is embedded.
    ///
    /// # Errors
    /// When a template or a text is malformed: a fault of the build.
    pub fn new() -> Result<Self, Error> {
        let texts = std::sync::Arc::new(Texts::new()?);
        let assets = std::sync::Arc::new(Assets::new());
        let mut templates = Handlebars::new();
        templates.set_strict_mode(true);
        for (name, source) in crate::templates::ALL {
            templates
                .register_template_string(name, source)
                .map_err(Box::new)?;
        }
        helpers::register(&mut templates, &texts, &assets);
        Ok(Self {
            templates,
            texts,
            assets,
        })
    }

    /// The page as HTML.
    ///
    /// # Errors
    /// When template and page do not fit.
    pub fn render<P: Page>(&self, page: &P, frame: &Frame) -> Result<String, Error> {
        Ok(self
            .templates
            .render(P::TEMPLATE, &Document { frame, page })?)
    }

    /// A sentence outside a page; the key itself when it is unknown, so that nothing is hidden.
    #[must_use]
    pub fn text(&self, language: Language, key: &str) -> String {
        self.texts
            .find(language, key, None)
            .unwrap_or_else(|| key.to_owned())
    }

    /// The file behind `/static/{path}`.
    #[must_use]
    pub fn asset(&self, path: &str) -> Option<&assets::Asset> {
        self.assets.find(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::learning::{Lesson, MyLearning};
    use crate::pages::live::{ChatLine, Class};
    use crate::pages::people::SignIn;

    #[test]
    fn every_language_renders_and_typed_words_are_escaped() {
        let renderer = Renderer::new().unwrap();
        for language in Language::ALL {
            let frame = Frame {
                language,
                path: "/sign-in?next=/\"><script>".into(),
                ..Frame::default()
            };
            let page = SignIn {
                name: "<b>".into(),
                ..SignIn::default()
            };
            let html = renderer.render(&page, &frame).unwrap();
            assert!(html.contains(&format!("lang=\"{}\"", language.code())));
            assert!(html.contains("&lt;b&gt;") && !html.contains("<script>"));
        }
    }

    /// In strict mode `#with` fails on null, although `#if` does not.
    #[test]
    fn pages_render_without_what_they_may_lack() {
        let renderer = Renderer::new().unwrap();
        let frame = Frame::default();
        let nothing_yet = MyLearning {
            next: None,
            under_way: vec![],
            completed: vec![],
            credentials: vec![],
        };
        let text = Lesson {
            course_id: "c".into(),
            course_title: "Water".into(),
            lesson_id: "l".into(),
            title: "Wells".into(),
            player: None,
            class: None,
            text: vec!["Dig.".into()],
            percent: 0,
            required_percent: 90,
            can_finish: true,
            completed: false,
            next_lesson: None,
            credential: None,
        };
        assert!(
            renderer
                .render(&nothing_yet, &frame)
                .unwrap()
                .contains("/courses")
        );
        let html = renderer.render(&text, &frame).unwrap();
        assert!(html.contains("Dig.") && !html.contains("data-player"));
    }

    #[test]
    fn a_class_renders_for_each_part_and_stage() {
        let renderer = Renderer::new().unwrap();
        let class = |state: &str, leads: bool| Class {
            class_id: "c".into(),
            course_id: "k".into(),
            title: "Water".into(),
            course_title: "Health".into(),
            state: state.into(),
            starts_at: 0,
            starts: "today".into(),
            time_zone: "Asia/Shanghai".into(),
            role: if leads { "host" } else { "learner" }.into(),
            leads,
            guest: false,
            timeline_id: "t".into(),
            learner: "x".into(),
            sound: "/sound".into(),
            hls: "/hls".into(),
            publish: if leads { "/publish" } else { "" }.into(),
            decks: if leads { "/decks" } else { "" }.into(),
            code: String::new(),
            announcement: String::new(),
            slide: None,
            present: 1,
            chat: vec![ChatLine {
                sequence: 1,
                at_ms: 0,
                name: "Li".into(),
                text: "<b>".into(),
            }],
            may_say: true,
            waits: vec![],
            polls: vec![],
            lesson: Some("/lesson".into()),
            keys: vec![],
            new_key: String::new(),
        };
        for language in Language::ALL {
            let frame = Frame {
                language,
                ..Frame::default()
            };
            let render = |state, leads| renderer.render(&class(state, leads), &frame).unwrap();
            let learner = render("open", false);
            assert!(learner.contains("data-live-player") && learner.contains("&lt;b&gt;"));
            assert!(learner.contains("live/class.js") && learner.contains("href=\"/sound\""));
            assert!(!learner.contains("data-place=\"desk\"") && !learner.contains("style="));
            let leader = render("open", true);
            assert!(leader.contains("data-publish=\"/publish\""));
            assert!(leader.contains("data-place=\"desk\""));
            assert!(render("scheduled", true).contains("/live/c/open"));
            let over = render("ended", false);
            assert!(over.contains("href=\"/lesson\"") && !over.contains("data-class"));
        }
    }
}
