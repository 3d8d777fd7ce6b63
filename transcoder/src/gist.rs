//! What who made a stretch of a lecture tells the one that holds the job, so that it need not decode it: where
//! segments begin, by what slides are told apart, the pictures of the index. It travels as a segment does.

use std::collections::BTreeMap;
use std::sync::Arc;

use millet_manifest::{Chunk, Record};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::ladder::Rung;
use crate::limits::LONGEST_MS;
use crate::picture::Thumb;
use crate::stills::Webp;
use crate::store::Store;
use crate::sum::sum;

/// Stands where a segment has its rendition.
const PLACE: &str = "gist";
/// Most pictures of a stretch: where more are news, it is decoded again.
pub(crate) const MOST_VIEWS: usize = 6_000;

/// What a stretch shows.
#[derive(Serialize, Deserialize)]
pub(crate) struct Gist {
    /// Rungs whose segments are made.
    pub(crate) rungs: Vec<String>,
    /// The seams between which it lies, milliseconds; `None` when it goes to the end.
    pub(crate) from_ms: i64,
    pub(crate) until_ms: Option<i64>,
    /// Time of the last picture, news or not, milliseconds.
    pub(crate) last_ms: i64,
    /// Pictures that are news, in order.
    pub(crate) views: Vec<View>,
    /// Pictures in which slides end, by their times.
    pub(crate) stills: BTreeMap<i64, Webp>,
}

/// A picture that is news.
#[derive(Serialize, Deserialize)]
pub(crate) struct View {
    pub(crate) at_ms: i64,
    /// A segment begins with it.
    pub(crate) cut: bool,
    #[serde(with = "thumb")]
    pub(crate) thumb: Arc<Thumb>,
}

impl Gist {
    /// Sum by which it is known whose plan was carried out.
    pub(crate) fn plan(sums: &[u64]) -> u64 {
        let bytes: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        sum(&bytes)
    }

    /// Leaves it with its record in the output folder.
    pub(crate) fn put(&self, store: &Store, plan: u64, end_ms: i64) -> Result<(), Error> {
        let json = serde_json::to_vec(self).map_err(|error| Error::Fault(error.to_string()))?;
        let (Ok(start_ms), Ok(length_ms)) = (
            u64::try_from(self.from_ms),
            u64::try_from(end_ms - self.from_ms),
        ) else {
            return Err(Error::Fault("a stretch ends before it begins".into()));
        };
        let all = Chunk {
            offset: 0,
            bytes: json.len() as u64,
            start_ms,
            duration_ms: length_ms,
            keyframe: true,
        };
        store.begin(PLACE)?;
        let segment = store.segment(PLACE, (self.from_ms, end_ms), &json, vec![all])?;
        let record = Record {
            plan,
            codec: PLACE.into(),
            init_bytes: 0,
            init_sum: sum(&[]),
            segment,
        };
        store.finished(PLACE, &record)
    }

    /// What others told of the stretch between two seams.
    pub(crate) fn given(
        store: &Store,
        plan: u64,
        (from_ms, until_ms): (i64, Option<i64>),
        rungs: &[Rung],
    ) -> Option<Self> {
        let json = store.told(PLACE, from_ms, plan)?;
        let gist: Self = serde_json::from_slice(&json).ok()?;
        let is_asked = (gist.from_ms, gist.until_ms) == (from_ms, until_ms)
            && gist.rungs.iter().eq(rungs.iter().map(|rung| &rung.id));
        (is_asked && gist.is_in_order()).then_some(gist)
    }

    /// The same from the first cut behind `passed_ms` on, if all segments from there on are made.
    pub(crate) fn behind(mut self, store: &Store, passed_ms: i64) -> Option<Self> {
        let views = self.views.into_iter();
        let rest = views.skip_while(|view| !view.cut || view.at_ms <= passed_ms);
        self.views = rest.collect();
        let is_made = |view: &View| {
            let mut rungs = self.rungs.iter();
            !view.cut || rungs.all(|rung| store.is_given(rung, view.at_ms))
        };
        let is_whole = !self.views.is_empty() && self.views.iter().all(is_made);
        is_whole.then_some(self)
    }

    fn is_in_order(&self) -> bool {
        let bounds = self.from_ms..self.until_ms.unwrap_or(LONGEST_MS);
        let begins = |view: &View| view.cut && view.at_ms == self.from_ms;
        self.views.first().is_some_and(begins)
            && self.views.len() <= MOST_VIEWS
            && self.views.is_sorted_by_key(|view| view.at_ms)
            && self.views.iter().all(|view| bounds.contains(&view.at_ms))
            && bounds.contains(&self.last_ms)
    }
}

/// Bytes as text.
pub(crate) mod text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map_err(de::Error::custom)
    }
}

mod thumb {
    use std::sync::Arc;

    use serde::{Deserializer, Serializer, de};

    use super::text;
    use crate::picture::Thumb;

    pub(super) fn serialize<S: Serializer>(thumb: &Thumb, to: S) -> Result<S::Ok, S::Error> {
        text::serialize(thumb.cells(), to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Thumb>, D::Error> {
        let thumb = Thumb::of_cells(text::deserialize(from)?);
        let strange = || de::Error::custom("not the cells of a picture");
        thumb.map(Arc::new).ok_or_else(strange)
    }
}
