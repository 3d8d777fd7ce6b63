//! A stand-in for the transcoder that publishes a part, waits for a word, and goes on, for tests.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use millet_manifest::{Progress, Rendition, TIMELINE_FILE, Timeline};

use crate::stream::testing::files;

/// Renditions that can be watched early.
pub const EARLY: usize = 4;
/// Segments that are published at first.
const FIRST: usize = 2;

/// A recording as the transcoder leaves it, and lines of a shell that play the transcoder.
#[derive(Debug)]
pub struct Recording {
    place: PathBuf,
}

impl Recording {
    /// Writes what the stand-in needs into a new folder.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn write(place: &Path, whole: &Timeline) -> io::Result<Self> {
        let all = place.join("whole");
        for (file, bytes) in files(whole) {
            let path = all.join(file);
            std::fs::create_dir_all(path.parent().unwrap_or(&all))?;
            std::fs::write(path, bytes)?;
        }
        std::fs::write(all.join(&whole.hls), "#EXTM3U\n")?;
        std::fs::write(all.join(TIMELINE_FILE), serde_json::to_vec(whole)?)?;
        let mut head = vec![watchable(whole)];
        head.extend((0..FIRST).flat_map(|index| published(whole, index)));
        let more: Vec<Progress> = (FIRST..FIRST + 2)
            .flat_map(|index| published(whole, index))
            .collect();
        for (name, lines) in [("head", head), ("more", more)] {
            let mut text = String::new();
            for line in lines {
                text.push_str(&serde_json::to_string(&line)?);
                text.push('\n');
            }
            std::fs::write(place.join(name), text)?;
        }
        for word in ["go", "end"] {
            if !Command::new("mkfifo")
                .arg(place.join(word))
                .status()?
                .success()
            {
                return Err(io::Error::other("no pipe"));
            }
        }
        Ok(Self {
            place: place.to_owned(),
        })
    }

    /// Publishes two segments.
    #[must_use]
    pub fn head(&self) -> String {
        let place = self.place.display();
        format!(
            r#"cp -r {place}/whole/. "$3"; mv "$3/timeline.json" "$3/../later"; cat {place}/head"#
        )
    }

    /// Waits for `go` and publishes two more.
    #[must_use]
    pub fn more(&self) -> String {
        let place = self.place.display();
        format!("read _ < {place}/go; cat {place}/more")
    }

    /// Waits for `end` and is done.
    #[must_use]
    pub fn end(&self) -> String {
        let place = self.place.display();
        format!(
            r#"read _ < {place}/end; mv "$3/../later" "$3/timeline.json"
            echo '{{"type":"done","duration_ms":1,"bytes":1}}'"#
        )
    }

    /// Waits for `end` and refuses the file.
    #[must_use]
    pub fn refusal(&self) -> String {
        let place = self.place.display();
        format!(
            r#"read _ < {place}/end
            echo '{{"type":"refused","reason":"truncated","sentence":"No."}}'; exit 2"#
        )
    }

    /// Says the word that the stand-in waits for.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn say(&self, word: &str) -> io::Result<()> {
        tokio::fs::write(self.place.join(word), "\n").await
    }
}

fn watchable(whole: &Timeline) -> Progress {
    let early = whole.renditions.iter().take(EARLY);
    Progress::Watchable {
        duration_ms: whole.duration_ms,
        content: whole.content,
        renditions: early
            .map(|own| Rendition {
                segments: Vec::new(),
                ..own.clone()
            })
            .collect(),
    }
}

fn published(whole: &Timeline, index: usize) -> impl Iterator<Item = Progress> {
    whole.renditions.iter().filter_map(move |own| {
        Some(Progress::Published {
            rendition: own.id.clone(),
            index: index as u64,
            segment: own.segments.get(index)?.clone(),
        })
    })
}
