//! Files on the clipboard, in every form that file managers, editors and audio programs ask for.
//!
//! On Linux no system keeps what was copied: on X11 a window of our own owns the selection, and a thread answers whoever asks
//! it; on Wayland a thread of `wl-clipboard-rs` does, where the compositor lets programs without the focus copy. Elsewhere the
//! system keeps it. What differs between platforms is in this file.

use std::path::PathBuf;

#[cfg(target_os = "linux")]
use crate::actor::Wake;

/// Why files are not on the clipboard.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClipboardError {
    /// There is no way to the clipboard.
    #[error("there is no clipboard: {0}")]
    Absent(String),
    /// What was copied is longer than the X server takes.
    #[cfg(target_os = "linux")]
    #[error("these are too many files at once")]
    TooLong,
    /// Another program keeps it.
    #[error("another program holds the clipboard")]
    Taken,
}

/// What has been copied, for as long as it is there.
#[derive(Default)]
pub(super) struct Clipboard {
    #[cfg(target_os = "linux")]
    owner: Option<x11::Owner>,
    #[cfg(not(target_os = "linux"))]
    system: Option<arboard::Clipboard>,
}

impl Clipboard {
    /// Puts files on the clipboard, in this order.
    ///
    /// # Errors
    /// There is no clipboard, or it does not take them.
    #[cfg(target_os = "linux")]
    pub fn offer(&mut self, files: &[PathBuf]) -> Result<(), ClipboardError> {
        let forms = forms(files);
        let on_wayland = std::env::var_os("WAYLAND_DISPLAY").is_some_and(|name| !name.is_empty());
        if on_wayland && offer_on_wayland(forms.clone()) {
            self.owner = None;
            return Ok(());
        }
        // Also on Wayland, where the compositor passes on what X11 programs copy.
        let owner = match self.owner.take() {
            Some(owner) if owner.is_alive() => self.owner.insert(owner),
            _ => self.owner.insert(x11::Owner::connect(None, &Wake::default())?),
        };
        owner.offer(forms)
    }

    /// Puts files on the clipboard, in this order.
    ///
    /// # Errors
    /// There is no clipboard, or it does not take them.
    #[cfg(not(target_os = "linux"))]
    pub fn offer(&mut self, files: &[PathBuf]) -> Result<(), ClipboardError> {
        let absent = |error: arboard::Error| ClipboardError::Absent(error.to_string());
        let system = match &mut self.system {
            Some(system) => system,
            #[expect(clippy::disallowed_methods, reason = "on the thread of the desktop")]
            None => self.system.insert(arboard::Clipboard::new().map_err(absent)?),
        };
        system.set().file_list(files).map_err(|error| match error {
            arboard::Error::ClipboardOccupied => ClipboardError::Taken,
            error => absent(error),
        })
    }
}

/// The same files in one form: its MIME type, or what X11 calls it, and its bytes.
#[cfg(target_os = "linux")]
type Form = (&'static str, Vec<u8>);

/// All forms in which files are offered.
#[cfg(target_os = "linux")]
fn forms(files: &[PathBuf]) -> Vec<Form> {
    use std::os::unix::ffi::OsStrExt as _;

    let uris: Vec<String> = files.iter().map(|file| uri(file.as_os_str().as_bytes())).collect();
    let list = uris.iter().flat_map(|uri| [uri.as_str(), "\r\n"]).collect::<String>();
    // What GNOME's and Xfce's file managers paste; no line end after the last.
    let to_copy = format!("copy\n{}", uris.join("\n"));
    let paths: Vec<&[u8]> = files.iter().map(|file| file.as_os_str().as_bytes()).collect();
    let text = paths.join(&b'\n');
    vec![
        ("text/uri-list", list.into_bytes()),
        ("x-special/gnome-copied-files", to_copy.into_bytes()),
        ("text/plain;charset=utf-8", text.clone()),
        ("UTF8_STRING", text.clone()),
        ("text/plain", text),
    ]
}

/// An absolute path as a URI, escaped as `g_filename_to_uri` does.
#[cfg(target_os = "linux")]
fn uri(path: &[u8]) -> String {
    use std::fmt::Write as _;

    let mut uri = "file://".to_owned();
    for byte in path {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,=:@".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// Tells whether the compositor took it.
#[cfg(target_os = "linux")]
fn offer_on_wayland(forms: Vec<Form>) -> bool {
    use wl_clipboard_rs::copy::{MimeSource, MimeType, Options, Source};

    let sources = forms.into_iter().map(|(mime, bytes)| MimeSource {
        source: Source::Bytes(bytes.into()),
        mime_type: MimeType::Specific(mime.to_owned()),
    });
    let mut options = Options::new();
    options.omit_additional_text_mime_types(true);
    let offered = options.copy_multi(sources.collect());
    offered.inspect_err(|error| tracing::debug!(%error, "clipboard of Wayland")).is_ok()
}

/// The owner of a selection, by the Inter-Client Communication Conventions Manual, 2.
#[cfg(target_os = "linux")]
mod x11 {
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    use crossbeam_channel::Receiver;
    use x11rb::connection::{Connection as _, RequestConnection as _};
    use x11rb::errors::{ConnectError, ReplyError, ReplyOrIdError};
    use x11rb::protocol::Event;
    use x11rb::protocol::xproto::{
        Atom, AtomEnum, ConnectionExt as _, CreateWindowAux, EventMask, PropMode, Property, SELECTION_NOTIFY_EVENT,
        SelectionNotifyEvent, SelectionRequestEvent, Timestamp, Window, WindowClass,
    };
    use x11rb::rust_connection::RustConnection;
    use x11rb::wrapper::ConnectionExt as _;
    use x11rb::{COPY_DEPTH_FROM_PARENT, COPY_FROM_PARENT, NONE};

    use super::{ClipboardError, Form};
    use crate::actor::{Actor, Outbox, Wake};

    /// How long the server has to make us the owner.
    const OWNING: Duration = Duration::from_secs(2);
    /// How long a clipboard manager has at the end to take over what was copied.
    const HANDING_OVER: Duration = Duration::from_millis(200);
    /// What a request takes beside its data, in bytes, and more.
    const HEADER: usize = 1024;

    x11rb::atom_manager! {
        Atoms: AtomsCookie {
            CLIPBOARD,
            CLIPBOARD_MANAGER,
            SAVE_TARGETS,
            TARGETS,
            TIMESTAMP,
            MULTIPLE,
            ATOM_PAIR,
            // Properties of our window: one that tells the time, one with what a manager is to save.
            SOUNDKIN_CLOCK,
            SOUNDKIN_SAVED,
        }
    }

    /// What the thread tells.
    #[derive(Debug, PartialEq)]
    enum Happened {
        /// Whether the selection is ours.
        Owns(bool),
        /// The clipboard manager has what it wants.
        HandedOver,
    }

    /// What is offered: target and bytes of each form, and since when.
    #[derive(Default)]
    struct Content {
        forms: Vec<(Atom, Vec<u8>)>,
        since: Timestamp,
    }

    struct Shared {
        connection: RustConnection,
        window: Window,
        atoms: Atoms,
        content: Mutex<Content>,
    }

    /// A window that owns the selection, and the thread that answers for it.
    pub(super) struct Owner {
        shared: Arc<Shared>,
        wake: Wake,
        /// None only while it is being dropped.
        actor: Option<Actor<(), Happened>>,
    }

    impl Owner {
        pub(super) fn connect(display: Option<&str>, wake: &Wake) -> Result<Self, ClipboardError> {
            let absent = |error: &dyn std::fmt::Display| ClipboardError::Absent(error.to_string());
            let shared = Arc::new(Shared::open(display).map_err(|error| absent(&error))?);
            let served = shared.clone();
            let body = move |_: Receiver<()>, outbox: Outbox<Happened>| served.serve(&outbox);
            let actor = Actor::spawn("clipboard", 1, wake, body).map_err(|error| absent(&error))?;
            Ok(Self { shared, wake: wake.clone(), actor: Some(actor) })
        }

        /// Tells whether the server still answers.
        pub(super) fn is_alive(&self) -> bool {
            self.shared.owner().is_ok()
        }

        pub(super) fn offer(&mut self, forms: Vec<Form>) -> Result<(), ClipboardError> {
            let shared = self.shared.clone();
            let Shared { connection, window, atoms, content } = &*shared;
            if forms.iter().any(|(_, bytes)| bytes.len() + HEADER > connection.maximum_request_bytes()) {
                return Err(ClipboardError::TooLong);
            }
            let offer = || {
                let forms = forms
                    .into_iter()
                    .map(|(name, bytes)| Ok((connection.intern_atom(false, name.as_bytes())?.reply()?.atom, bytes)));
                let forms = forms.collect::<Result<Vec<_>, ReplyError>>()?;
                if let Ok(mut content) = content.lock() {
                    content.forms = forms;
                }
                // The server's time comes back with the change of a property, and the thread goes on from there.
                let clock = atoms.SOUNDKIN_CLOCK;
                connection.change_property8(PropMode::APPEND, *window, clock, AtomEnum::STRING, &[])?.check()
            };
            offer().map_err(|error| ClipboardError::Absent(error.to_string()))?;
            match self.wait(OWNING, |happened| matches!(happened, Happened::Owns(_))) {
                Some(Happened::Owns(true)) => Ok(()),
                _ => Err(ClipboardError::Taken),
            }
        }

        /// Waits for something to happen.
        fn wait(&mut self, patience: Duration, wanted: impl Fn(&Happened) -> bool) -> Option<Happened> {
            let deadline = Instant::now() + patience;
            loop {
                if let Some(happened) = self.actor.as_mut()?.replies().into_iter().find(&wanted) {
                    return Some(happened);
                }
                let left = deadline.checked_duration_since(Instant::now())?;
                self.wake.wait(left);
            }
        }

        /// Lets a clipboard manager, if one runs, take over what was copied.
        fn hand_over(&mut self) -> Result<(), ReplyError> {
            let shared = self.shared.clone();
            let Shared { connection, window, atoms, content } = &*shared;
            let manager = connection.get_selection_owner(atoms.CLIPBOARD_MANAGER)?.reply()?.owner;
            if manager == NONE || self.shared.owner()? != *window {
                return Ok(());
            }
            let targets: Vec<Atom> =
                content.lock().map_or_else(|_| Vec::new(), |content| content.forms.iter().map(|form| form.0).collect());
            let (property, kind) = (atoms.SOUNDKIN_SAVED, AtomEnum::ATOM);
            connection.change_property32(PropMode::REPLACE, *window, property, kind, &targets)?;
            let (selection, target) = (atoms.CLIPBOARD_MANAGER, atoms.SAVE_TARGETS);
            connection.convert_selection(*window, selection, target, property, x11rb::CURRENT_TIME)?;
            connection.flush()?;
            self.wait(HANDING_OVER, |happened| *happened == Happened::HandedOver);
            Ok(())
        }
    }

    impl Drop for Owner {
        fn drop(&mut self) {
            // A server that is gone needs neither.
            let _ = self.hand_over();
            // The thread ends with its window.
            let _ = self.shared.connection.destroy_window(self.shared.window);
            let _ = self.shared.connection.flush();
            self.actor = None;
        }
    }

    /// Why there is no window to own a selection.
    #[derive(Debug, thiserror::Error)]
    enum OpenError {
        #[error(transparent)]
        Connect(#[from] ConnectError),
        #[error(transparent)]
        Reply(#[from] ReplyError),
        #[error(transparent)]
        Id(#[from] ReplyOrIdError),
        #[error(transparent)]
        Connection(#[from] x11rb::errors::ConnectionError),
    }

    impl Shared {
        fn open(display: Option<&str>) -> Result<Self, OpenError> {
            let (connection, screen) = x11rb::connect(display)?;
            let root = connection.setup().roots.get(screen).map_or(NONE, |screen| screen.root);
            let window = connection.generate_id()?;
            let listens = CreateWindowAux::new().event_mask(EventMask::PROPERTY_CHANGE | EventMask::STRUCTURE_NOTIFY);
            let (depth, class) = (COPY_DEPTH_FROM_PARENT, WindowClass::INPUT_OUTPUT);
            connection.create_window(depth, window, root, 0, 0, 1, 1, 0, class, COPY_FROM_PARENT, &listens)?.check()?;
            let atoms = Atoms::new(&connection)?.reply()?;
            // Asked now, so that nobody has to wait for it later.
            connection.maximum_request_bytes();
            Ok(Self { connection, window, atoms, content: Mutex::default() })
        }

        fn owner(&self) -> Result<Window, ReplyError> {
            Ok(self.connection.get_selection_owner(self.atoms.CLIPBOARD)?.reply()?.owner)
        }

        /// Answers until the window is gone.
        fn serve(&self, outbox: &Outbox<Happened>) {
            while let Ok(event) = self.connection.wait_for_event() {
                let happened = match event {
                    Event::DestroyNotify(gone) if gone.window == self.window => return,
                    Event::PropertyNotify(changed)
                        if changed.window == self.window
                            && changed.atom == self.atoms.SOUNDKIN_CLOCK
                            && changed.state == Property::NEW_VALUE =>
                    {
                        self.own(changed.time).ok().map(Happened::Owns)
                    }
                    Event::SelectionClear(lost) if lost.selection == self.atoms.CLIPBOARD => {
                        if let Ok(mut content) = self.content.lock()
                            && lost.time >= content.since
                        {
                            *content = Content::default();
                        }
                        None
                    }
                    Event::SelectionRequest(asked) => {
                        // Whoever asked may be gone already.
                        let _ = self.answer(&asked);
                        None
                    }
                    Event::SelectionNotify(done) if done.selection == self.atoms.CLIPBOARD_MANAGER => {
                        Some(Happened::HandedOver)
                    }
                    _ => None,
                };
                // Nobody waits for what is not read in time.
                happened.map(|happened| outbox.try_send(happened));
            }
        }

        /// Becomes the owner, and tells whether that worked.
        fn own(&self, now: Timestamp) -> Result<bool, ReplyError> {
            if let Ok(mut content) = self.content.lock() {
                content.since = now;
            }
            self.connection.set_selection_owner(self.window, self.atoms.CLIPBOARD, now)?;
            Ok(self.owner()? == self.window)
        }

        fn answer(&self, asked: &SelectionRequestEvent) -> Result<(), ReplyError> {
            // Clients of before 1989 name none.
            let property = if asked.property == NONE { asked.target } else { asked.property };
            let given = if asked.target == self.atoms.MULTIPLE {
                self.give_several(asked.requestor, property)?
            } else {
                self.give(asked.requestor, asked.target, property)?
            };
            let notify = SelectionNotifyEvent {
                response_type: SELECTION_NOTIFY_EVENT,
                sequence: 0,
                time: asked.time,
                requestor: asked.requestor,
                selection: asked.selection,
                target: asked.target,
                property: if given { property } else { NONE },
            };
            self.connection.send_event(false, asked.requestor, EventMask::NO_EVENT, notify)?;
            Ok(self.connection.flush()?)
        }

        /// Writes one form into a property of whoever asked; tells whether there is such a form.
        fn give(&self, to: Window, target: Atom, property: Atom) -> Result<bool, ReplyError> {
            let Self { connection, atoms, content, .. } = self;
            let Ok(content) = content.lock() else { return Ok(false) };
            if target == atoms.TARGETS {
                let own = [atoms.TARGETS, atoms.TIMESTAMP, atoms.MULTIPLE, atoms.SAVE_TARGETS];
                let targets: Vec<Atom> = own.into_iter().chain(content.forms.iter().map(|form| form.0)).collect();
                connection.change_property32(PropMode::REPLACE, to, property, AtomEnum::ATOM, &targets)?;
            } else if target == atoms.TIMESTAMP {
                let kind = AtomEnum::INTEGER;
                connection.change_property32(PropMode::REPLACE, to, property, kind, &[content.since])?;
            } else if let Some((_, bytes)) = content.forms.iter().find(|(known, _)| *known == target) {
                connection.change_property8(PropMode::REPLACE, to, property, target, bytes)?;
            } else {
                return Ok(false);
            }
            Ok(true)
        }

        /// Writes several forms, each into the property that is named beside it.
        fn give_several(&self, to: Window, property: Atom) -> Result<bool, ReplyError> {
            let Self { connection, atoms, .. } = self;
            let wanted = connection.get_property(false, to, property, AtomEnum::ANY, 0, 4096)?.reply()?;
            let mut pairs: Vec<Atom> = wanted.value32().into_iter().flatten().collect();
            for pair in pairs.as_chunks_mut::<2>().0 {
                if !self.give(to, pair[0], pair[1])? {
                    pair[1] = NONE;
                }
            }
            connection.change_property32(PropMode::REPLACE, to, property, atoms.ATOM_PAIR, &pairs)?;
            Ok(!pairs.is_empty())
        }
    }

    #[cfg(test)]
    mod tests {
        use std::process::{Child, Command};

        use super::*;

        struct Server(Child, String);

        impl Server {
            fn start() -> Self {
                let number = 4200 + std::process::id() % 4000;
                let display = format!(":{number}");
                let mut server = Command::new("Xvfb");
                // Without the last it starts anew when the first client has gone, as it looks whether it is there.
                server.args([&display, "-screen", "0", "320x200x24", "-nolisten", "tcp", "-noreset"]);
                let server = Self(server.spawn().unwrap(), display);
                let deadline = Instant::now() + Duration::from_secs(20);
                while x11rb::connect(Some(&server.1)).is_err() {
                    assert!(Instant::now() < deadline, "no X server");
                    std::thread::sleep(Duration::from_millis(20));
                }
                server
            }
        }

        impl Drop for Server {
            fn drop(&mut self) {
                let _ = self.0.kill();
                let _ = self.0.wait();
            }
        }

        /// Another program.
        struct Other(Shared);

        impl Other {
            fn until<T>(&self, mut found: impl FnMut(Event) -> Option<T>) -> T {
                loop {
                    if let Some(found) = found(self.0.connection.wait_for_event().unwrap()) {
                        return found;
                    }
                }
            }

            fn atom(&self, name: &str) -> Atom {
                self.0.connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
            }

            fn paste(&self, target: &str) -> Option<Vec<u8>> {
                let Shared { connection, window, atoms, .. } = &self.0;
                let (selection, into) = (atoms.CLIPBOARD, self.atom("PASTED"));
                connection.convert_selection(*window, selection, self.atom(target), into, x11rb::CURRENT_TIME).unwrap();
                connection.flush().unwrap();
                let property = self.until(|event| match event {
                    Event::SelectionNotify(done) => Some(done.property),
                    _ => None,
                });
                (property != NONE).then(|| self.read(property))
            }

            fn read(&self, property: Atom) -> Vec<u8> {
                let Shared { connection, window, .. } = &self.0;
                let all = connection.get_property(true, *window, property, AtomEnum::ANY, 0, 1 << 20).unwrap();
                all.reply().unwrap().value
            }
        }

        #[test]
        fn every_form_can_be_pasted_and_a_manager_takes_over_what_was_copied() {
            let server = Server::start();
            let mut owner = Owner::connect(Some(&server.1), &Wake::default()).unwrap();
            let other = Other(Shared::open(Some(&server.1)).unwrap());
            owner.offer(vec![("text/plain", b"old".to_vec())]).unwrap();
            owner.offer(vec![("text/uri-list", b"file:///a\r\n".to_vec()), ("text/plain", b"/a".to_vec())]).unwrap();
            assert_eq!(other.paste("text/uri-list").as_deref(), Some(b"file:///a\r\n".as_slice()));
            assert_eq!(other.paste("text/plain").as_deref(), Some(b"/a".as_slice()));
            assert_eq!(other.paste("image/png"), None);
            let targets = other.paste("TARGETS").unwrap();
            let named = |name: &str| targets.as_chunks::<4>().0.contains(&other.atom(name).to_ne_bytes());
            assert!(["text/uri-list", "text/plain", "TIMESTAMP", "MULTIPLE"].into_iter().all(named));
            // Another copies, and ours is forgotten.
            let Shared { connection, window, atoms, .. } = &other.0;
            connection.set_selection_owner(*window, atoms.CLIPBOARD, x11rb::CURRENT_TIME).unwrap().check().unwrap();
            let deadline = Instant::now() + Duration::from_secs(5);
            while !owner.shared.content.lock().unwrap().forms.is_empty() {
                assert!(Instant::now() < deadline);
                std::thread::sleep(Duration::from_millis(5));
            }
            owner.offer(vec![("text/plain", b"/b".to_vec())]).unwrap();
            // The other one is a clipboard manager, and saves what there is in one go.
            let manager = atoms.CLIPBOARD_MANAGER;
            connection.set_selection_owner(*window, manager, x11rb::CURRENT_TIME).unwrap().check().unwrap();
            let leaves = move |_: Receiver<()>, _: Outbox<()>| drop(owner);
            let leaving = Actor::spawn("leaving", 1, &Wake::default(), leaves).unwrap();
            let saved = {
                let asked = other.until(|event| match event {
                    Event::SelectionRequest(asked) if asked.target == atoms.SAVE_TARGETS => Some(asked),
                    _ => None,
                });
                let (pairs, into) = (other.atom("PAIRS"), other.atom("SAVED"));
                let wanted = [other.atom("text/plain"), into, other.atom("image/png"), other.atom("NOTHING")];
                connection.change_property32(PropMode::REPLACE, *window, pairs, atoms.ATOM_PAIR, &wanted).unwrap();
                let now = x11rb::CURRENT_TIME;
                connection.convert_selection(*window, atoms.CLIPBOARD, atoms.MULTIPLE, pairs, now).unwrap();
                connection.flush().unwrap();
                other.until(|event| matches!(event, Event::SelectionNotify(_)).then_some(()));
                let saved = (other.read(into), other.read(pairs).as_chunks::<4>().0[3]);
                let notify = SelectionNotifyEvent {
                    response_type: SELECTION_NOTIFY_EVENT,
                    sequence: 0,
                    time: asked.time,
                    requestor: asked.requestor,
                    selection: asked.selection,
                    target: asked.target,
                    property: asked.property,
                };
                connection.send_event(false, asked.requestor, EventMask::NO_EVENT, notify).unwrap();
                connection.flush().unwrap();
                saved
            };
            drop(leaving);
            assert_eq!(saved, (b"/b".to_vec(), NONE.to_ne_bytes()));
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn files_are_offered_in_their_order_as_uris_and_as_text() {
        let files = ["/b/kick 1%.wav", "/a/Tür;#?.wav"].map(PathBuf::from);
        let odd = PathBuf::from(OsStr::from_bytes(b"/\xff.wav"));
        let forms = forms(&[files[0].clone(), files[1].clone(), odd]);
        let form = |name: &str| forms.iter().find(|form| form.0 == name).unwrap().1.as_slice();
        let uris = ["file:///b/kick%201%25.wav", "file:///a/T%C3%BCr%3B%23%3F.wav", "file:///%FF.wav"];
        assert_eq!(form("text/uri-list"), format!("{}\r\n{}\r\n{}\r\n", uris[0], uris[1], uris[2]).as_bytes());
        let to_copy = format!("copy\n{}\n{}\n{}", uris[0], uris[1], uris[2]);
        assert_eq!(form("x-special/gnome-copied-files"), to_copy.as_bytes());
        let text = [b"/b/kick 1%.wav\n/a/T\xc3\xbcr;#?.wav\n/".as_slice(), b"\xff.wav"].concat();
        for name in ["text/plain;charset=utf-8", "UTF8_STRING", "text/plain"] {
            assert_eq!(form(name), text, "{name}");
        }
    }
}
