//! `soundkin list`

use std::cmp::Ordering;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use bevy::ecs::entity::EntityHashSet;
use bevy::prelude::*;
use clap::Args;
use serde_json::{Value, json};

use super::common::{Common, put_path};
use crate::library::search::Found;
use crate::library::table::{known_first, natural};
use crate::library::{AudioInfo, Failed, Features, Missing, Sample, Tags, Transient};

/// Columns that can be sorted by.
const KEYS: [&str; 8] = ["path", "name", "seconds", "channels", "rate", "lufs", "peak", "brightness"];

#[derive(Args, Debug)]
pub(super) struct List {
    /// List only samples with these words in their path below a folder of the library or in their tags; `-word` excludes,
    /// `"two words"` are one
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    filter: Option<String>,
    /// Column to sort by: path, name, seconds, channels, rate, lufs, peak or brightness; append `:desc` to reverse
    #[arg(long, value_name = "KEY[:desc]", default_value = "path", value_parser = sort_key)]
    sort: SortKey,
}

#[derive(Clone, Debug)]
struct SortKey {
    key: String,
    descending: bool,
}

fn sort_key(text: &str) -> Result<SortKey> {
    let (key, order) = text.split_once(':').unwrap_or((text, "asc"));
    if !KEYS.contains(&key) || !matches!(order, "asc" | "desc") {
        bail!("sort by one of {}; append :desc to reverse", KEYS.join(", "));
    }
    Ok(SortKey { key: key.to_owned(), descending: order == "desc" })
}

struct Line {
    path: Arc<Path>,
    info: Option<AudioInfo>,
    features: Option<Features>,
    tags: Vec<String>,
    missing: bool,
    failed: Option<Failed>,
}

impl List {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        let mut app = common.facts()?;
        let found = self.filter.as_deref().map(|words| common.samples_with(app.world_mut(), words));
        let within = found.as_ref().map(Found::samples);
        let mut lines = lines(app.world_mut(), within.as_ref());
        lines.sort_by(|a, b| compare(a, b, &self.sort).then_with(|| a.path.cmp(&b.path)));
        let mut value = json!({"samples": lines.iter().map(line_json).collect::<Vec<_>>()});
        if found.is_some_and(|found| found.only_similar && !found.fits.is_empty()) {
            value["only_similar"] = json!(true);
        }
        common.print(&value, |out| lines.iter().try_for_each(|line| write_line(out, line)))
    }
}

fn lines(world: &mut World, within: Option<&EntityHashSet>) -> Vec<Line> {
    type Columns<'a> = (
        Entity,
        &'a Sample,
        Option<&'a AudioInfo>,
        Option<&'a Features>,
        Option<&'a Tags>,
        Has<Missing>,
        Option<&'a Failed>,
    );
    let mut samples = world.query_filtered::<Columns, Without<Transient>>();
    let all = samples.iter(world).filter(|(sample, ..)| within.is_none_or(|within| within.contains(sample)));
    all.map(|(_, sample, info, features, tags, missing, failed)| Line {
        path: sample.path.clone(),
        info: info.cloned(),
        features: features.copied(),
        tags: tags.map(|tags| tags.0.clone()).unwrap_or_default(),
        missing,
        failed: failed.cloned(),
    })
    .collect()
}

fn compare(a: &Line, b: &Line, SortKey { key, descending }: &SortKey) -> Ordering {
    let number = |line: &Line| -> f64 {
        let value = match key.as_str() {
            "seconds" => line.info.as_ref().map(|i| i.seconds().0),
            "channels" => line.info.as_ref().map(|i| f64::from(i.channels)),
            "rate" => line.info.as_ref().map(|i| f64::from(i.rate)),
            "lufs" => line.features.and_then(|f| f.lufs).map(f64::from),
            "peak" => line.features.map(|f| f64::from(f.peak_db)),
            _ => line.features.map(|f| f64::from(f.brightness_hz)),
        };
        value.unwrap_or(f64::NAN)
    };
    let name = |line: &Line| natural(&line.path.file_name().unwrap_or_default().to_string_lossy());
    let turn = |order: Ordering| if *descending { order.reverse() } else { order };
    match key.as_str() {
        "path" => turn(a.path.cmp(&b.path)),
        "name" => turn(name(a).cmp(&name(b))),
        _ => known_first(number(a), number(b), *descending),
    }
}

fn line_json(line: &Line) -> Value {
    let mut object = json!({
        "seconds": line.info.as_ref().map(AudioInfo::seconds),
        "channels": line.info.as_ref().map(|i| i.channels),
        "rate": line.info.as_ref().map(|i| i.rate),
        "codec": line.info.as_ref().map(|i| &i.codec),
        "lufs": line.features.and_then(|f| f.lufs),
        "peak_db": line.features.map(|f| f.peak_db),
        "brightness_hz": line.features.map(|f| f.brightness_hz),
        "tags": line.tags,
        "rating": Value::Null,
        "missing": line.missing,
    });
    if let Some(failed) = &line.failed {
        object["failed"] = json!({"stage": failed.stage.name(), "reason": failed.to_string()});
    }
    put_path(&mut object, &line.path);
    object
}

fn write_line(out: &mut dyn Write, line: &Line) -> io::Result<()> {
    let path = line.path.display();
    let state = match (&line.failed, line.missing) {
        (Some(failed), _) => format!("  failed: {failed}"),
        (None, true) => "  missing".to_owned(),
        _ => String::new(),
    };
    match (&line.info, &line.features) {
        (Some(info), Some(features)) => {
            let lufs = features.lufs.map_or("   –".to_owned(), |l| format!("{l:.1}"));
            let (seconds, brightness) = (info.seconds().0, features.brightness_hz);
            writeln!(out, "{seconds:>9.2} s {lufs:>6} LUFS {brightness:>6.0} Hz  {:<9} {path}{state}", info.codec)
        }
        _ => writeln!(out, "{:>40} {path}{state}", ""),
    }
}
