//! What templates can call: words, times, lengths, sizes, money, asset URLs.
//!
//! Every helper reads the language from the frame, so a template never passes it.

use std::sync::Arc;

use fluent_bundle::{FluentArgs, FluentValue};
use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError,
    RenderErrorReason, ScopedJson,
};
use serde_json::Value;

use crate::Language;
use crate::assets::Assets;
use crate::text::Texts;

pub(crate) fn register(
    templates: &mut Handlebars<'static>,
    texts: &Arc<Texts>,
    assets: &Arc<Assets>,
) {
    templates.register_helper("t", Box::new(Words(Arc::clone(texts))));
    templates.register_helper("asset", Box::new(AssetUrl(Arc::clone(assets))));
    templates.register_helper("size", Box::new(Formatted(size)));
    templates.register_helper("length", Box::new(Formatted(length)));
    templates.register_helper("date", Box::new(Formatted(date)));
    templates.register_helper("raw_svg", Box::new(RawSvg));
}

fn language(context: &Context) -> Language {
    context.data()["frame"]["language"]
        .as_str()
        .and_then(Language::from_code)
        .unwrap_or_default()
}

fn fault(text: String) -> RenderError {
    RenderErrorReason::Other(text).into()
}

/// `{{t "key" name=value}}`; also as a subexpression. The key may be built: `{{t "prefix-" word}}`.
struct Words(Arc<Texts>);

impl HelperDef for Words {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let mut key = String::new();
        for part in helper.params() {
            match part.value() {
                Value::String(text) => key.push_str(text),
                Value::Number(number) => key.push_str(&number.to_string()),
                other => return Err(fault(format!("a text key of {other}"))),
            }
        }
        let mut args = FluentArgs::new();
        for (name, value) in helper.hash() {
            let value: FluentValue<'_> = match value.value() {
                Value::Number(number) => number.as_f64().unwrap_or_default().into(),
                Value::String(text) => text.clone().into(),
                other => other.to_string().into(),
            };
            args.set(*name, value);
        }
        let text = self
            .0
            .find(language(context), &key, Some(&args))
            .ok_or_else(|| fault(format!("no text for {key}")))?;
        Ok(ScopedJson::Derived(Value::String(text)))
    }
}

/// `{{asset "millet.css"}}`
struct AssetUrl(Arc<Assets>);

impl HelperDef for AssetUrl {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let name = helper.param(0).and_then(|name| name.value().as_str());
        let name = name.ok_or_else(|| fault("asset needs a name".into()))?;
        let url = self
            .0
            .url(name)
            .ok_or_else(|| fault(format!("no asset {name}")))?;
        Ok(ScopedJson::Derived(Value::String(url)))
    }
}

/// A number in words of the page's language.
struct Formatted(fn(Language, i64) -> String);

impl HelperDef for Formatted {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let number = helper.param(0).and_then(|value| value.value().as_i64());
        let number = number.ok_or_else(|| fault(format!("{} needs a number", helper.name())))?;
        let text = (self.0)(language(context), number);
        Ok(ScopedJson::Derived(Value::String(text)))
    }
}

/// `{{raw_svg svg}}`: a drawing that this system itself made, such as a QR code.
struct RawSvg;

impl HelperDef for RawSvg {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let svg = helper.param(0).and_then(|svg| svg.value().as_str());
        let svg = svg.ok_or_else(|| fault("raw_svg needs a drawing".into()))?;
        // Only the element itself: an XML declaration is not HTML.
        let start = svg.find("<svg").unwrap_or(0);
        out.write(&svg[start..])?;
        Ok(())
    }
}

/// Bytes as people read them on their phone's data counter (decimal units).
fn size(_: Language, bytes: i64) -> String {
    match bytes {
        0..100_000 => format!("{} kB", (bytes + 500) / 1000),
        100_000..10_000_000 => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
        _ => format!("{} MB", (bytes + 500_000) / 1_000_000),
    }
}

/// Milliseconds as `m:ss` or `h:mm:ss`.
fn length(_: Language, ms: i64) -> String {
    let seconds = ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// The day of an epoch time in milliseconds (UTC); empty for a time that no calendar knows.
fn date(language: Language, ms: i64) -> String {
    let Ok(moment) = jiff::Timestamp::from_millisecond(ms) else {
        return String::new();
    };
    let day = moment.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    match language {
        Language::ZhCn => format!("{}年{}月{}日", day.year(), day.month(), day.day()),
        Language::En => day.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(size(Language::En, 1_440_000), "1.4 MB");
        assert_eq!(size(Language::En, 87_400), "87 kB");
        assert_eq!(length(Language::En, 3_725_000), "1:02:05");
        assert_eq!(date(Language::ZhCn, 1_709_164_800_000), "2024年2月29日");
        assert_eq!(date(Language::En, -1), "1969-12-31");
    }
}
