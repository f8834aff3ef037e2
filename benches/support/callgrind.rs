//! Counts instructions with valgrind's callgrind. The load of the machine does not affect the counts.
//!
//! The program starts itself again under callgrind, and runs each case through [`measured`]. Callgrind counts only that
//! function, and writes its counts after each call.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::Case;
use crate::call_style::CallStyle;

const UNDER_CALLGRIND: &str = "BENCH_UNDER_CALLGRIND";

/// The first requests are not counted: caches and branch predictors are cold, and the layer initializes itself.
const WARM_UP_REQUESTS: u32 = 20;
const REQUESTS: u32 = 1000;

pub struct Count {
    pub name: String,
    pub call_style: CallStyle,
    pub instructions: f64,
}

/// Returns whether this process was started to be counted. A bench that measures other things, too, omits them then.
pub fn is_counting() -> bool {
    env::var_os(UNDER_CALLGRIND).is_some()
}

/// Returns the instructions per request of each case, in the order of the cases.
pub fn count(cases: impl FnOnce() -> Vec<Case>) -> Vec<Count> {
    let mut cases = cases();
    if is_counting() {
        for case in &mut cases {
            (case.run)(WARM_UP_REQUESTS);
            measured(case);
        }
        std::process::exit(0);
    }
    let kept = env::var_os("BENCH_CALLGRIND").map(PathBuf::from);
    let folder = kept.clone().unwrap_or_else(|| env::temp_dir().join(format!("callgrind-{}", std::process::id())));
    fs::create_dir_all(&folder).expect("the folder can be created");
    let counts = run(&folder);
    if kept.is_none() {
        fs::remove_dir_all(&folder).expect("the folder can be removed");
    }
    assert_eq!(counts.len(), cases.len(), "one count for each case");
    let count =
        |(case, instructions): (Case, f64)| Count { name: case.name, call_style: case.call_style, instructions };
    cases.into_iter().zip(counts).map(count).collect()
}

#[inline(never)]
fn measured(case: &mut Case) {
    (case.run)(REQUESTS);
    // Prevents a tail call, after which callgrind would not see this function return.
    black_box(());
}

fn run(folder: &Path) -> Vec<f64> {
    // `--dump-after` does not accept a pattern, so both options get the full name.
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
    let line = out.lines().find_map(|line| line.strip_prefix("totals: ")).expect("callgrind prints totals");
    line.trim().parse::<f64>().expect("a count") / f64::from(REQUESTS)
}
