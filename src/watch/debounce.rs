//! Groups bursts of file changes: a path is due once nothing has changed for a moment, or the burst has gone on long.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A file is left alone until its folder has been quiet for this long.
const QUIET: Duration = Duration::from_millis(300);
/// In a burst that never ends, changes are handled this often.
const LIMIT: Duration = Duration::from_secs(2);

/// Paths that have changed and wait for the burst to end.
#[derive(Default, Debug)]
pub struct Debounce {
    paths: BTreeSet<PathBuf>,
    burst: Option<(Instant, Instant)>,
}

impl Debounce {
    /// Notes that `path` changed at `now`.
    pub fn push(&mut self, path: PathBuf, now: Instant) {
        self.paths.insert(path);
        let first = self.burst.map_or(now, |(first, _)| first);
        self.burst = Some((first, now));
    }

    /// Returns when the waiting paths are due, or `None` when none wait.
    pub fn deadline(&self) -> Option<Instant> {
        self.burst.map(|(first, last)| (last + QUIET).min(first + LIMIT))
    }

    /// Takes the paths that are due at `now`, without those below another of them.
    pub fn take_due(&mut self, now: Instant) -> Vec<PathBuf> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        self.burst = None;
        let mut due: Vec<PathBuf> = Vec::new();
        for path in std::mem::take(&mut self.paths) {
            // Sorted order puts a folder before what is in it.
            if !due.last().is_some_and(|folder: &PathBuf| path.starts_with(Path::new(folder))) {
                due.push(path);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_due_once_it_has_been_quiet() {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        debounce.push("/a.wav".into(), start);
        debounce.push("/a.wav".into(), start + Duration::from_millis(200));
        assert!(debounce.take_due(start + Duration::from_millis(400)).is_empty());
        assert_eq!(debounce.take_due(start + Duration::from_millis(500)), [PathBuf::from("/a.wav")]);
        assert_eq!(debounce.deadline(), None);
    }

    #[test]
    fn a_burst_that_never_rests_is_looked_at_all_the_same() {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        for ms in (0..2000).step_by(100) {
            debounce.push("/a.wav".into(), start + Duration::from_millis(ms));
        }
        assert_eq!(debounce.take_due(start + LIMIT).len(), 1);
    }

    #[test]
    fn a_changed_folder_covers_what_is_in_it() {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        for path in ["/a", "/a/b.wav", "/a/c/d.wav", "/e.wav"] {
            debounce.push(path.into(), start);
        }
        let due = debounce.take_due(start + LIMIT);
        assert_eq!(due, [PathBuf::from("/a"), PathBuf::from("/e.wav")]);
    }
}
