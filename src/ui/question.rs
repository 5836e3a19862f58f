//! A query as it is kept from one run to the next: by paths, since a sample is another entity each time.

use std::path::{Path, PathBuf};

use bevy::prelude::{Query as Components, *};
use dsp::Span;
use serde::{Deserialize, Serialize};

use crate::library::{Sample, SampleIndex};
use crate::neighbours::query::{Query, Subject};
use crate::neighbours::vectors::Sound;

/// What neighbours should be like, and less like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Question {
    like: Vec<Named>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unlike: Vec<Named>,
}

/// A sound, or a part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Named {
    path: PathBuf,
    /// Start and end in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    span: Option<[f64; 2]>,
    /// It is no sample of the library.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    outside: bool,
}

impl Named {
    /// Nothing for a take that is not in the library, and for a path that is not text.
    fn of(subject: &Subject, samples: &Components<&Sample>) -> Option<Self> {
        let (path, span, outside): (&Path, _, _) = match subject {
            Subject::Sample(entity) | Subject::Take(entity) => (&samples.get(*entity).ok()?.path, None, false),
            Subject::Region(entity, span) => (&samples.get(*entity).ok()?.path, Some(*span), false),
            Subject::File(sound) => (&sound.path, sound.region, true),
        };
        path.to_str()?;
        Some(Self { path: path.to_owned(), span: span.map(|span| [span.start, span.end]), outside })
    }

    fn subject(&self, index: &SampleIndex) -> Option<Subject> {
        let span = self.span.map(|[start, end]| Span { start, end });
        if self.outside {
            return Sound::of_file(&self.path, span).ok().map(Subject::File);
        }
        let sample = index.at(&self.path)?;
        Some(span.map_or(Subject::Sample(sample), |span| Subject::Region(sample, span)))
    }
}

impl Question {
    /// Names what a query is about; nothing if it is like nothing that can be named.
    pub(super) fn of(query: &Query, samples: &Components<&Sample>) -> Option<Self> {
        let [like, unlike] = [&query.like, &query.unlike]
            .map(|subjects| subjects.iter().filter_map(|subject| Named::of(subject, samples)).collect());
        Some(Self { like, unlike }).filter(|question| !question.like.is_empty())
    }

    /// What it is about that is still there, what to be like first; and for people, that something is not.
    pub(super) fn subjects(&self, index: &SampleIndex) -> ([Vec<Subject>; 2], Option<String>) {
        let found = [&self.like, &self.unlike]
            .map(|sounds| sounds.iter().filter_map(|sound| sound.subject(index)).collect::<Vec<_>>());
        let lost = self.like.len() + self.unlike.len() - found[0].len() - found[1].len();
        let said = if found[0].is_empty() {
            "the sounds of your last query are no longer there, so everything is listed".to_owned()
        } else {
            let are = if lost == 1 { "1 sound".to_owned() } else { format!("{lost} sounds") };
            format!("your last query goes on without {are} no longer there")
        };
        (found, (lost > 0).then_some(said))
    }
}
