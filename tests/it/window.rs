//! The real window, under a virtual X server with software Vulkan, with a null sink for a sound device. `make
//! test` installs the programs that this takes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dsp::Hz;
use dsp::resample::{Filter, Resampler};
use file::stream::{Decoders, Stream};
use soundkin::map;
use soundkin::map::view::{Bounds, View};

use crate::loopback::Server;
use crate::support::{folder_of_sounds, json};

type Colour = [u8; 3];

/// Ground and border of the dark theme and of the light one, and the chip that names a query.
const DARK: [Colour; 2] = [[0x11, 0x13, 0x15], [0x2B, 0x30, 0x36]];
const LIGHT: [Colour; 2] = [[0xF7, 0xF8, 0xF9], [0xC9, 0xCE, 0xD4]];
const CHIP: Colour = [0x1D, 0x3A, 0x35];
const STATUS_HEIGHT: usize = 26;
/// Rate of the null sink in Hz.
const SINK_RATE: u32 = 48_000;

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
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What is on the screen, 8-bit sRGB.
struct Picture {
    width: usize,
    pixels: Vec<u8>,
}

impl Picture {
    fn at(&self, x: usize, y: usize) -> Colour {
        std::array::from_fn(|i| self.pixels[(y * self.width + x) * 3 + i])
    }
}

/// A screen of its own with the program on it.
struct Desktop {
    display: String,
    root: tempfile::TempDir,
    program: Ended,
    _server: Ended,
}

impl Desktop {
    /// Opens `folder` in the library of `root`, with a sound server's devices or none.
    fn open(root: tempfile::TempDir, folder: &Path, devices: Option<&Server>) -> Self {
        // Numbers of their own for tests that run beside each other.
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        // A server that was killed leaves its number taken and a socket that nobody answers.
        let display = loop {
            let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let number = 90 + (std::process::id() * 8 + next) % 4000;
            let taken = [format!("/tmp/.X{number}-lock"), format!("/tmp/.X11-unix/X{number}")];
            if !taken.iter().any(|path| Path::new(path).exists()) {
                break format!(":{number}");
            }
        };
        let server = Command::new("Xvfb").args([&display, "-screen", "0", "1440x900x24", "-nolisten", "tcp"]).spawn();
        let server = Ended(server.unwrap());
        let socket = format!("/tmp/.X11-unix/X{}", &display[1..]);
        wait_for("the X server", || std::os::unix::net::UnixStream::connect(&socket).ok());
        let mut program = Command::new(env!("CARGO_BIN_EXE_soundkin"));
        program
            .arg(folder)
            .env("SOUNDKIN_LIBRARY", root.path().join("library.db"))
            .env("DISPLAY", &display)
            .env_remove("WAYLAND_DISPLAY")
            .env("XDG_RUNTIME_DIR", root.path())
            .env("XDG_CONFIG_HOME", root.path().join("config"))
            .env("HOME", root.path())
            .env("XDG_DATA_HOME", soundkin::paths::data_folder().parent().unwrap())
            .stderr(Stdio::null());
        if let Some(devices) = devices {
            devices.run(&mut program);
        }
        Self { display, program: Ended(program.spawn().unwrap()), root, _server: server }
    }

    fn picture(&self) -> Option<Picture> {
        let file = self.root.path().join("window.png");
        let mut import = Command::new("import");
        import.args(["-display", &self.display, "-window", "root", "-depth", "8"]);
        if !import.arg(format!("PNG24:{}", file.display())).stderr(Stdio::null()).status().ok()?.success() {
            return None;
        }
        let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(file).ok()?));
        let mut reader = decoder.read_info().ok()?;
        let mut pixels = vec![0; reader.output_buffer_size()?];
        let info = reader.next_frame(&mut pixels).ok()?;
        let width = info.width as usize;
        (info.color_type == png::ColorType::Rgb).then_some(Picture { width, pixels })
    }

    /// Gives the window the keys, which no window manager is there to do.
    fn focus(&self) -> String {
        let window = wait_for("the window's name", || {
            let mut search = Command::new("xdotool");
            let output = search.args(["search", "--name", "Soundkin"]).env("DISPLAY", &self.display).output().ok()?;
            String::from_utf8(output.stdout).ok()?.lines().last().map(str::to_owned)
        });
        self.xdotool(&["windowfocus", &window, "sleep", "0.3"]);
        window
    }

    /// Moves the pointer and presses keys as a user does; xdotool's own words.
    fn xdotool(&self, words: &[&str]) {
        let status = Command::new("xdotool").args(words).env("DISPLAY", &self.display).status();
        assert!(status.unwrap().success(), "xdotool {words:?}");
    }

    /// Waits until the window has this size and the borders that go with it, and finds its sections.
    fn sections(&self, width: usize, height: usize, theme: [Colour; 2]) -> (Picture, Sections) {
        // What was seen last stays for whoever looks into a failure.
        let seen = Path::new(env!("CARGO_TARGET_TMPDIR")).join("window.png");
        wait_for(&format!("five borders at {width} x {height} in {}", seen.display()), || {
            let picture = self.picture()?;
            std::fs::copy(self.root.path().join("window.png"), &seen).ok()?;
            let sections = Sections::find(&picture, width, height, theme)?;
            Some((picture, sections))
        })
    }
}

/// Where the lines between the sections are, in pixels.
#[derive(Debug)]
struct Sections {
    size: [usize; 2],
    /// Right of the sources, under the waveform, under the strip, right of the list, over the status line.
    sources: usize,
    waveform: usize,
    strip: usize,
    list: usize,
    status: usize,
    theme: [Colour; 2],
}

impl Sections {
    /// Finds the five lines; `None` unless there is exactly one of each, all along the sections they divide.
    fn find(picture: &Picture, width: usize, height: usize, theme: [Colour; 2]) -> Option<Self> {
        let status = height.checked_sub(STATUS_HEIGHT)?;
        let border = |x: usize, y: usize| picture.at(x, y) == theme[1];
        let down = |x: usize, from: usize| (from..status).all(|y| border(x, y));
        let across = |y: usize, from: usize| (from..width).all(|x| border(x, y));
        let only = |found: Vec<usize>| (found.len() == 1).then(|| found[0]);
        only((0..height).filter(|y| across(*y, 0)).collect()).filter(|y| *y == status)?;
        let sources = only((0..width).filter(|x| down(*x, 0)).collect())?;
        let over: Vec<usize> = (0..status).filter(|y| across(*y, sources)).collect();
        let [waveform, strip] = over.try_into().ok()?;
        let list = only((sources + 1..width).filter(|x| down(*x, strip)).collect())?;
        Some(Self { size: [width, height], sources, waveform, strip, list, status, theme })
    }

    /// The lines as (position, from, to, whether it runs down).
    fn lines(&self) -> [(usize, usize, usize, bool); 5] {
        [
            (self.status, 0, self.size[0], false),
            (self.sources, 0, self.status, true),
            (self.waveform, self.sources + 1, self.size[0], false),
            (self.strip, self.sources + 1, self.size[0], false),
            (self.list, self.strip + 1, self.status, true),
        ]
    }

    /// Finds thin lines beside and along the borders: anything one pixel wide, longer than a thumbnail and unlike
    /// what is on both of its sides.
    fn second_lines(&self, picture: &Picture) -> Vec<String> {
        const NEAR: usize = 6;
        const LONG: usize = 100;
        let mut found = Vec::new();
        for (at, from, to, down) in self.lines() {
            let end = if down { self.size[0] } else { self.size[1] };
            let pixel = |across: usize, along: usize| {
                if down { picture.at(across, along) } else { picture.at(along, across) }
            };
            for beside in at.saturating_sub(NEAR)..(at + NEAR + 1).min(end - 1) {
                if beside == at || beside < 1 {
                    continue;
                }
                let apart = |a: Colour, b: Colour| a.iter().zip(b).any(|(a, b)| a.abs_diff(b) > 6);
                let mut run = 0;
                for along in from..to {
                    let here = pixel(beside, along);
                    let before = if beside == at + 1 { self.theme[0] } else { pixel(beside - 1, along) };
                    let after = if beside + 1 == at { self.theme[0] } else { pixel(beside + 1, along) };
                    let thin = apart(here, before) && apart(here, after);
                    run = if thin || here == self.theme[1] { run + 1 } else { 0 };
                    if run == LONG {
                        found.push(format!("{here:02x?} at {beside} beside {at}, {along} along, down: {down}"));
                    }
                }
            }
        }
        found
    }
}

/// Starts to write what is heard to a file, as mono.
fn listen(server: &Server, file: &Path) -> Ended {
    let mut listen = Command::new("parec");
    listen.args(["-d", "loop.monitor", "--channels=1", "--format=float32le", "--latency-msec=20"]);
    listen.arg(format!("--rate={SINK_RATE}")).stdout(std::fs::File::create(file).unwrap());
    let listening = Ended(server.run(&mut listen).spawn().unwrap());
    wait_for("the monitor", || (file.metadata().ok()?.len() > 0).then_some(()));
    listening
}

fn heard(file: &Path) -> Vec<f32> {
    let bytes = std::fs::read(file).unwrap();
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// A file's sound at the sink's rate, mono.
fn sound_of(path: &Path) -> Vec<f32> {
    let mut stream = Stream::open_path(path, &Decoders::default()).unwrap();
    let (mut mono, mut rate) = (Vec::new(), Hz(0));
    while let Some(block) = stream.next_block().unwrap() {
        rate = block.rate;
        mono.extend(block.samples.chunks_exact(block.channels).map(|frame| frame.iter().sum::<f32>()));
    }
    Resampler::new(Hz(SINK_RATE), Filter::AnyHighQuality).convert(&mono, rate).unwrap().into_owned()
}

/// How much of `heard` is `sound`, -1..=1: the largest normalised correlation around the place where both begin.
fn match_of(heard: &[f32], sound: &[f32]) -> f64 {
    let begin = |samples: &[f32]| {
        let peak = samples.iter().fold(0.0_f32, |peak, v| peak.max(v.abs()));
        samples.iter().position(|v| v.abs() > 0.02 * peak).unwrap_or(0)
    };
    let sound = &sound[begin(sound)..];
    let sound = &sound[..sound.len().min(SINK_RATE as usize / 4)];
    let first = begin(heard).saturating_sub(200);
    let correlation = |shift: usize| {
        let there = heard.get(first + shift..).unwrap_or_default();
        let sums = sound.iter().zip(there).fold([0.0_f64; 3], |[ab, aa, bb], (a, b)| {
            let (a, b) = (f64::from(*a), f64::from(*b));
            [ab + a * b, aa + a * a, bb + b * b]
        });
        sums[0] / (sums[1] * sums[2]).sqrt().max(1e-12)
    };
    (0..400).map(correlation).fold(-1.0, f64::max)
}

/// The user's path: a dot on the map is clicked and heard, its neighbours are listed, the window changes its size.
#[test]
#[expect(clippy::too_many_lines, reason = "one user's path from start to end")]
fn a_clicked_dot_is_heard_its_neighbours_are_listed_and_every_size_has_one_border() {
    let root = tempfile::tempdir().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo");
    let library = root.path().join("library.db");
    json(&library, &["index", folder.to_str().unwrap()]);
    let points = json(&library, &["map"])["points"].as_array().unwrap().clone();
    let server = Server::start(root.path());
    let desktop = Desktop::open(root, &folder, Some(&server));

    // Where a dot must be, from the map that the command line gives and the section that is seen.
    let (_, sections) = desktop.sections(1440, 900, DARK);
    let heading = 30;
    // The legend has a section of its own under the map.
    let legend = wait_for("the legend", || {
        let picture = desktop.picture()?;
        let divided = |y: &usize| (sections.list + 1..1440).all(|x| picture.at(x, *y) == DARK[1]);
        (sections.strip + 1..sections.status).find(divided)
    });
    let area = map::Area {
        min: [(sections.list + 1) as f32, (sections.strip + 1 + heading) as f32],
        max: [1440.0, legend as f32],
        pixels_per_point: 1.0,
    };
    let place = |point: &serde_json::Value| ["x", "y"].map(|axis| point[axis].as_f64().unwrap() as f32);
    let cloud: Vec<[f32; 2]> = points.iter().map(place).collect();
    let view = View::fit(&Bounds::of_most(&cloud), &area);
    // One that stands alone, so that no other can be meant, and is long enough to be known by ear.
    let distance = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let alone = |i: usize| {
        let others = cloud.iter().enumerate().filter(|(j, _)| *j != i);
        others.map(|(_, other)| distance(cloud[i], *other)).fold(f32::MAX, f32::min)
    };
    let right = |i: &usize| view.to_screen(cloud[*i], &area)[0] > area.centre()[0];
    let target = (0..points.len()).filter(right).max_by(|a, b| alone(*a).total_cmp(&alone(*b))).unwrap();
    let [x, y] = view.to_screen(cloud[target], &area).map(|v| format!("{v:.0}"));
    let dot_is_there = || {
        let colour = desktop.picture()?.at(x.parse().ok()?, y.parse().ok()?);
        (colour != DARK[0]).then_some(())
    };
    wait_for("the dot", dot_is_there);
    assert_eq!(sections.second_lines(&desktop.picture().unwrap()), Vec::<String>::new());

    // A machine with much else to do may lose some of it between program and sink, but not three times.
    let matches = (0..3).map(|_| {
        let file = desktop.root.path().join("heard.f32");
        let listening = listen(&server, &file);
        desktop.xdotool(&["mousemove", &x, &y, "sleep", "0.3", "click", "1"]);
        wait_for("some sound", || heard(&file).iter().any(|v| v.abs() > 1e-3).then_some(()));
        std::thread::sleep(Duration::from_secs(1));
        drop(listening);
        let heard = heard(&file);
        let likeness = |point: &serde_json::Value| {
            let path = point["path"].as_str().unwrap();
            (match_of(&heard, &sound_of(Path::new(path))), path.to_owned())
        };
        let mut matches: Vec<(f64, String)> = points.iter().map(likeness).collect();
        matches.sort_by(|a, b| b.0.total_cmp(&a.0));
        matches.truncate(3);
        matches
    });
    let expected = points[target]["path"].as_str().unwrap();
    let mut worse = Vec::new();
    let is_it = |m: &Vec<(f64, String)>| m[0].1 == expected && m[0].0 > 0.95 && m[1].0 < 0.9;
    let found = { matches }.find(|found| {
        is_it(found) || {
            worse.push(found.clone());
            false
        }
    });
    assert!(found.is_some(), "{expected}: {worse:?}");

    // The neighbours' key: a chip names the query and the list is another.
    let list = |picture: &Picture| -> Vec<Colour> {
        let rows = (sections.waveform + 60..sections.status).step_by(7);
        rows.flat_map(|y| (sections.sources + 110..sections.sources + 250).map(move |x| (x, y)))
            .map(|(x, y)| picture.at(x, y))
            .collect()
    };
    let before = desktop.picture().unwrap();
    let window = desktop.focus();
    desktop.xdotool(&["mousemove", "700", "12", "key", "n"]);
    let after = wait_for("the chip of the query", || {
        let picture = desktop.picture()?;
        let (x, y) = (sections.sources + 326, sections.waveform + 9);
        (picture.at(x, y) == CHIP && list(&picture) != list(&before)).then_some(picture)
    });
    assert_eq!(sections.second_lines(&after), Vec::<String>::new());

    // R records, R stops, and the take is a sample of the library.
    let recordings = desktop.root.path().join("Soundkin Recordings");
    let takes = || -> Vec<u64> {
        let files = std::fs::read_dir(&recordings).into_iter().flatten().flatten();
        let files = files.filter(|file| file.path().extension().is_some_and(|ending| ending == "wav"));
        files.map(|file| file.metadata().map_or(0, |metadata| metadata.len())).collect()
    };
    desktop.xdotool(&["key", "r"]);
    wait_for("a take", || (takes().len() == 1).then_some(()));
    desktop.xdotool(&["mousemove", &x, &y, "click", "1"]);
    // As many bytes as a second has, however slowly a busy machine hands them out.
    wait_for("a second of sound", || (takes()[0] > 2 * 4 * u64::from(SINK_RATE)).then_some(()));
    desktop.xdotool(&["key", "r"]);
    wait_for("the take in the library", || {
        let listed = json(&library, &["list"]);
        let is_take = |sample: &&serde_json::Value| {
            sample["path"].as_str().is_some_and(|path| Path::new(path).starts_with(&recordings))
        };
        let take = listed["samples"].as_array()?.iter().find(is_take)?;
        (take["seconds"].as_f64()? > 0.5).then_some(())
    });
    desktop.xdotool(&["mousemove", "700", "12"]);

    for (width, height) in [(1100, 700), (800, 560)] {
        desktop.xdotool(&["windowsize", &window, &width.to_string(), &height.to_string()]);
        let (picture, sections) = desktop.sections(width, height, DARK);
        assert!(sections.sources < sections.list && sections.list < width - 100, "{sections:?}");
        assert_eq!(sections.second_lines(&picture), Vec::<String>::new(), "{width} x {height}");
    }
    // Pressed by a hand that has rested on it.
    let lit = || {
        let picture = desktop.picture()?;
        let loops = (545..580).flat_map(|x| (8..24).map(move |y| (x, y)));
        // Amber letters, smoothed.
        let amber = |[red, _, blue]: Colour| red > 0xA0 && blue < 0x60;
        Some(loops.filter(|(x, y)| amber(picture.at(*x, *y))).count() > 5)
    };
    wait_for("no loop", || (!lit()?).then_some(()));
    desktop.xdotool(&["mousemove", "562", "15", "sleep", "1.5", "mousedown", "1", "sleep", "0.09", "mouseup", "1"]);
    wait_for("a loop", || lit()?.then_some(()));
    // Held as long as fingers hold keys.
    let held = ["keydown", "ctrl", "sleep", "0.2", "keydown", "t", "sleep", "0.2", "keyup", "t", "keyup", "ctrl"];
    desktop.xdotool(&held);
    let (picture, sections) = desktop.sections(800, 560, LIGHT);
    assert_eq!(sections.second_lines(&picture), Vec::<String>::new(), "light");
}

#[test]
fn the_window_opens_lists_a_folder_and_shows_its_ground_and_one_border() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    let library = root.path().join("library.db");
    let desktop = Desktop::open(root, &folder, None);
    let [ground, border] = DARK;
    let line = 900 - STATUS_HEIGHT;
    let shown = wait_for("the window's picture", || {
        desktop.picture().filter(|shown| shown.at(720, 700) == ground && shown.at(720, line) == border)
    });
    // One line, one pixel, edge to edge, and the ground on both sides of it.
    for x in [0, 3, 400, 1436, 1439] {
        assert_eq!(shown.at(x, line), border, "x {x}");
        assert_eq!(shown.at(x, line - 1), ground, "x {x}");
        assert_eq!(shown.at(x, line + 1), ground, "x {x}");
    }
    // The status line has text once sounds are there, and what was analysed is in the library.
    wait_for("the status text", || {
        let shown = desktop.picture()?;
        (12..300).any(|x| (line + 6..896).any(|y| shown.at(x, y)[0] > 0x70)).then_some(())
    });
    wait_for("the analysis", || {
        let listed = json(&library, &["list"]);
        let samples = listed["samples"].as_array()?.clone();
        (samples.len() == 3 && samples.iter().all(|s| s["seconds"].is_number())).then_some(())
    });
    // With nothing going on the window rests: no frame is drawn but for a reason.
    std::thread::sleep(Duration::from_secs(2));
    let before = cpu_ticks(desktop.program.0.id());
    std::thread::sleep(Duration::from_secs(4));
    let used = cpu_ticks(desktop.program.0.id()) - before;
    assert!(used < 20, "the idle window used {used} of 400 ticks");

    // A chord that is over before the next frame is drawn keeps its Ctrl, so what follows is typed into the search field.
    let third_row = |shown: &Picture| (310..420).any(|x| (304..328).any(|y| shown.at(x, y)[0] > 0xA0));
    assert!(third_row(&desktop.picture().unwrap()), "three rows");
    desktop.focus();
    desktop.xdotool(&["mousemove", "700", "100", "key", "ctrl+f"]);
    desktop.xdotool(&["sleep", "0.5", "type", "002"]);
    wait_for("the search", || (!third_row(&desktop.picture()?)).then_some(()));
    assert!(!desktop.root.path().join("Soundkin Recordings").exists(), "a letter was taken for a shortcut");
    // The window rests with the cursor in a field as well.
    std::thread::sleep(Duration::from_secs(1));
    let before = cpu_ticks(desktop.program.0.id());
    std::thread::sleep(Duration::from_secs(4));
    let used = cpu_ticks(desktop.program.0.id()) - before;
    assert!(used < 20, "with the cursor in the search field the window used {used} of 400 ticks");
}

/// Processor time of a process in ticks of 10 ms.
fn cpu_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name in brackets may hold anything; user and system time are the 12th and 13th field after it.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}
