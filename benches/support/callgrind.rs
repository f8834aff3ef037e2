//! Counts instructions with valgrind's callgrind: the same number on a busy machine and on an idle one.
//!
//! The program starts itself once more, under callgrind. There each case runs through [`measured`], which alone is counted,
//! and after which callgrind writes what it has counted.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::Case;

const UNDER_CALLGRIND: &str = "BENCH_UNDER_CALLGRIND";

/// Not counted: the first requests find memory and branches cold, and connect the layer.
const WARM: u32 = 20;
const REQUESTS: u32 = 1000;

/// Instructions per request of each case, in their order.
pub fn count(cases: impl FnOnce() -> Vec<Case>) -> Vec<(String, f64)> {
    let mut cases = cases();
    if env::var_os(UNDER_CALLGRIND).is_some() {
        for case in &mut cases {
            (case.run)(WARM);
            measured(case);
        }
        std::process::exit(0);
    }
    let kept = env::var_os("BENCH_CALLGRIND").map(PathBuf::from);
    let folder = kept.clone().unwrap_or_else(|| env::temp_dir().join(format!("callgrind-{}", std::process::id())));
    fs::create_dir_all(&folder).expect("the folder can be made");
    let counts = run(&folder);
    if kept.is_none() {
        fs::remove_dir_all(&folder).expect("it is ours");
    }
    assert_eq!(counts.len(), cases.len(), "one count for each case");
    cases.into_iter().map(|case| case.name).zip(counts).collect()
}

#[inline(never)]
fn measured(case: &mut Case) {
    (case.run)(REQUESTS);
    // With the call at the very end there would be no moment at which this is left.
    black_box(());
}

fn run(folder: &Path) -> Vec<f64> {
    // A pattern would do for the one option, and not for the other.
    let measured = std::any::type_name_of_val(&measured);
    let status = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", &format!("--callgrind-out-file={}", folder.join("out").display())])
        .args([format!("--toggle-collect={measured}"), format!("--dump-after={measured}")])
        .arg(env::current_exe().expect("a program has a path"))
        .env(UNDER_CALLGRIND, "")
        .status()
        .expect("valgrind is installed");
    assert!(status.success(), "{status}");
    (1..).map_while(|part| fs::read_to_string(folder.join(format!("out.{part}"))).ok()).map(|out| total(&out)).collect()
}

fn total(out: &str) -> f64 {
    let line = out.lines().find_map(|line| line.strip_prefix("totals: ")).expect("callgrind counts");
    line.trim().parse::<f64>().expect("a count") / f64::from(REQUESTS)
}
