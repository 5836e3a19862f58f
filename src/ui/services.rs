//! What the desktop around the window can do, which `rfd` 0.17 and `opener` 0.9 do not tell: without a portal or a file manager
//! they return as if the user had changed their mind.

/// Tells whether a dialog to choose a folder can be opened: by a portal, or by zenity.
#[cfg(target_os = "linux")]
pub(super) fn open_dialogs() -> bool {
    linux::has_portal("org.freedesktop.portal.FileChooser") || linux::has_program("zenity")
}

/// Tells whether a file can be shown in its folder: by a file manager on the bus, by a portal, or by what opens folders.
#[cfg(target_os = "linux")]
pub(super) fn show_folders() -> bool {
    linux::has_file_manager() || linux::has_portal("org.freedesktop.portal.OpenURI") || linux::opens_folders()
}

/// Tells whether a dialog to choose a folder can be opened: the system has its own.
#[cfg(not(target_os = "linux"))]
pub(super) fn open_dialogs() -> bool {
    true
}

/// Tells whether a file can be shown in its folder: the system has its own file manager.
#[cfg(not(target_os = "linux"))]
pub(super) fn show_folders() -> bool {
    true
}

#[cfg(target_os = "linux")]
mod linux {
    use std::process::Command;

    use zbus::blocking::fdo::DBusProxy;
    use zbus::blocking::{Connection, Proxy};

    /// Asks the portal, which has an interface only where some desktop's backend serves it.
    pub fn has_portal(interface: &'static str) -> bool {
        let asked = Connection::session().and_then(|bus| {
            let (name, path) = ("org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop");
            Proxy::new(&bus, name, path, interface)?.get_property::<u32>("version")
        });
        asked.is_ok()
    }

    pub fn has_file_manager() -> bool {
        let names = Connection::session().and_then(|bus| {
            let bus = DBusProxy::new(&bus)?;
            Ok([bus.list_names()?, bus.list_activatable_names()?].concat())
        });
        names.is_ok_and(|names| names.iter().any(|name| name.as_str() == "org.freedesktop.FileManager1"))
    }

    pub fn has_program(program: &str) -> bool {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
    }

    /// Asks what opens folders, as `xdg-open` does, which does not tell whether anything was opened.
    pub fn opens_folders() -> bool {
        let asked = Command::new("xdg-mime").args(["query", "default", "inode/directory"]).output();
        asked.is_ok_and(|asked| asked.stdout.iter().any(|byte| !byte.is_ascii_whitespace()))
    }
}
