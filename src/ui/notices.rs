//! What the user has been told: the newest is shown until it is read, and all of them can be read again.

use std::collections::VecDeque;

use bevy::prelude::*;

use crate::notice::{Kind, Notice};

/// Notices that are kept.
const KEPT: usize = 200;

/// Everything that was said, the newest last.
#[derive(Resource, Default, Debug)]
pub struct Notices(VecDeque<Said>);

#[derive(Debug)]
struct Said {
    notice: Notice,
    read: bool,
}

impl Notices {
    /// The newest that has not been read, and how many more there are.
    pub fn unread(&self) -> Option<(&Notice, usize)> {
        let mut unread = self.0.iter().rev().filter(|said| !said.read);
        let newest = unread.next()?;
        Some((&newest.notice, unread.count()))
    }

    /// Everything that was said, the newest first.
    pub fn all(&self) -> impl Iterator<Item = &Notice> {
        self.0.iter().rev().map(|said| &said.notice)
    }

    /// Notes that the newest was read, and tells whether there was one.
    pub fn dismiss(&mut self) -> bool {
        let newest = self.0.iter_mut().rev().find(|said| !said.read);
        newest.map(|said| said.read = true).is_some()
    }

    fn say(&mut self, notice: &Notice) {
        // What was done is old news once something else has happened.
        for said in self.0.iter_mut().filter(|said| said.notice.kind == Kind::Done) {
            said.read = true;
        }
        if self.0.back().is_some_and(|last| last.notice == *notice && !last.read) {
            return;
        }
        self.0.push_back(Said { notice: notice.clone(), read: false });
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }
}

/// Notes what was said.
pub(super) fn listen(mut heard: MessageReader<Notice>, mut notices: ResMut<Notices>) {
    for notice in heard.read() {
        notices.say(notice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_stay_until_they_are_read_and_what_was_done_only_until_the_next() {
        let mut notices = Notices::default();
        for notice in [Notice::new("a"), Notice::done("b"), Notice::new("c"), Notice::new("c"), Notice::done("d")] {
            notices.say(&notice);
        }
        let mut read = Vec::new();
        while let Some((notice, _)) = notices.unread() {
            read.push(notice.text.clone());
            assert!(notices.dismiss());
        }
        assert_eq!(read, ["d", "c", "a"]);
        assert!(!notices.dismiss());
        let all: Vec<&str> = notices.all().map(|notice| notice.text.as_str()).collect();
        assert_eq!(all, ["d", "c", "b", "a"]);
    }
}
