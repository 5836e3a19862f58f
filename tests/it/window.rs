//! The real window, under a virtual X server with software Vulkan.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{folder_of_sounds, json};

/// Ground and border of the dark theme, and the height of the status line.
const GROUND: [u8; 3] = [0x11, 0x13, 0x15];
const BORDER: [u8; 3] = [0x2B, 0x30, 0x36];
const STATUS_HEIGHT: usize = 26;

/// Ends a child with the test, whatever becomes of it.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn picture(display: &str, file: &Path) -> Option<(usize, Vec<u8>)> {
    let mut import = Command::new("import");
    import.args(["-display", display, "-window", "root", "-depth", "8"]).arg(format!("PNG24:{}", file.display()));
    if !import.stderr(Stdio::null()).status().ok()?.success() {
        return None;
    }
    let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(file).ok()?));
    let mut reader = decoder.read_info().ok()?;
    let mut pixels = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut pixels).ok()?;
    (info.color_type == png::ColorType::Rgb).then_some((info.width as usize, pixels))
}

#[test]
fn the_window_opens_lists_a_folder_and_shows_its_ground_and_one_border() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    let library = root.path().join("library.db");
    let display = format!(":{}", 90 + std::process::id() % 400);
    let server = Command::new("Xvfb").args([&display, "-screen", "0", "1440x900x24", "-nolisten", "tcp"]).spawn();
    let _server = Ended(server.expect("`make test` installs Xvfb"));
    let socket = format!("/tmp/.X11-unix/X{}", &display[1..]);
    wait_for("the X server", || Path::new(&socket).exists().then_some(()));
    let window = Command::new(env!("CARGO_BIN_EXE_soundkin"))
        .arg(&folder)
        .env("SOUNDKIN_LIBRARY", &library)
        .env("DISPLAY", &display)
        .env_remove("WAYLAND_DISPLAY")
        .env("XDG_RUNTIME_DIR", root.path())
        .stderr(Stdio::null())
        .spawn();
    let window = Ended(window.unwrap());
    let file = root.path().join("window.png");
    let at = |(width, pixels): &(usize, Vec<u8>), x: usize, y: usize| -> [u8; 3] {
        std::array::from_fn(|i| pixels[(y * width + x) * 3 + i])
    };
    let line = 900 - STATUS_HEIGHT;
    let shown = wait_for("the window's picture", || {
        picture(&display, &file).filter(|shown| at(shown, 720, 700) == GROUND && at(shown, 720, line) == BORDER)
    });
    // One line, one pixel, edge to edge, and the ground on both sides of it.
    for x in [0, 3, 400, 1436, 1439] {
        assert_eq!(at(&shown, x, line), BORDER, "x {x}");
        assert_eq!(at(&shown, x, line - 1), GROUND, "x {x}");
        assert_eq!(at(&shown, x, line + 1), GROUND, "x {x}");
    }
    // The status line has text once sounds are there, and what was analysed is in the library.
    wait_for("the status text", || {
        let shown = picture(&display, &file)?;
        (12..300).any(|x| (line + 6..896).any(|y| at(&shown, x, y)[0] > 0x70)).then_some(())
    });
    wait_for("the analysis", || {
        let listed = json(&library, &["list"]);
        let samples = listed["samples"].as_array()?.clone();
        (samples.len() == 3 && samples.iter().all(|s| s["seconds"].is_number())).then_some(())
    });
    // With nothing going on the window rests: no frame is drawn but for a reason.
    std::thread::sleep(Duration::from_secs(2));
    let before = cpu_ticks(window.0.id());
    std::thread::sleep(Duration::from_secs(4));
    let used = cpu_ticks(window.0.id()) - before;
    assert!(used < 20, "the idle window used {used} of 400 ticks");
}

/// Processor time of a process in ticks of 10 ms.
fn cpu_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name in brackets may hold anything; user and system time are the 12th and 13th field after it.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}
