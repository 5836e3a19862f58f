//! Kill the program at any moment: what it has reported as done stays done, and the next run finishes the rest.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::support::{folder_of_sounds, json, soundkin};

#[test]
fn nothing_reported_as_done_is_lost_by_a_kill() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 240);
    let library = root.path().join("library.db");
    let mut done = BTreeSet::new();
    let mut killed_under_way = 0;
    // Each round is killed a little later: while the library is made, after the first commit, and well on.
    for lines_before_kill in [0, 1, 25, 60] {
        let mut child = soundkin(&library)
            .args(["index", "-v", "--jobs", "1"])
            .arg(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        while !library.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
        let mut reported = 0;
        while reported < lines_before_kill {
            let Some(Ok(line)) = lines.next() else { break };
            if let Some(path) = line.strip_prefix("done: ") {
                done.insert(path.to_owned());
                reported += 1;
            }
        }
        // SIGKILL: no handler runs, nothing is flushed.
        child.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            // The last line may have been torn in the middle of being written.
            let whole = line.strip_prefix("done: ").filter(|path| path.contains(".wav"));
            done.extend(whole.map(str::to_owned));
        }
        killed_under_way += usize::from(!child.wait().unwrap().success());

        let check = integrity_check(&library);
        assert_eq!(check, "ok", "the database is damaged");
        let listed = json(&library, &["list"]);
        let kept: BTreeSet<String> = listed["samples"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|sample| sample["seconds"].is_number())
            .map(|sample| sample["path"].as_str().unwrap().to_owned())
            .collect();
        let lost: Vec<_> = done.difference(&kept).collect();
        assert!(lost.is_empty(), "reported as done and lost: {lost:?}");
    }
    assert!(killed_under_way >= 3, "the program was too quick to be killed");
    assert!(!done.is_empty() && done.len() < 240, "{} done before the last run", done.len());

    let last = json(&library, &["index", folder.to_str().unwrap()]);
    assert_eq!(last["files"], 240);
    let decoded = usize::try_from(last["decoded"].as_u64().unwrap()).unwrap();
    assert!(decoded <= 240 - done.len(), "{decoded} decoded again, {} were done", done.len());
    let all = json(&library, &["list"]);
    assert!(all["samples"].as_array().unwrap().iter().all(|sample| sample["seconds"].is_number()));
}

/// Runs `SQLite`'s own check through a copy of the files, as another process would see them.
fn integrity_check(library: &std::path::Path) -> String {
    let script =
        "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])";
    let output = Command::new("python3").args(["-c", script]).arg(library).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
