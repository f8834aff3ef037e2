//! Describes the machine and the versions of the measurement.

use std::fs;
use std::process::Command;

/// The compared crates and their dependencies.
const CRATES: [&str; 16] = [
    "tower-oauth2",
    "tower",
    "tower-http",
    "http",
    "hyper",
    "hyper-util",
    "tokio",
    "arc-swap",
    "ring",
    "cf-gears-toolkit-auth",
    "google-cloud-auth",
    "huskarl",
    "jsonwebtoken",
    "middle",
    "oauth2",
    "yup-oauth2",
];

pub fn describe() -> String {
    let cpu = value(&read("/proc/cpuinfo"), "model name", ':').unwrap_or_else(|| "unknown".into());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let system = value(&read("/etc/os-release"), "PRETTY_NAME", '=').unwrap_or_else(|| std::env::consts::OS.into());
    let kernel = read("/proc/sys/kernel/osrelease");
    let virtual_machine = if read("/proc/cpuinfo").contains(" hypervisor") { ", a virtual machine" } else { "" };
    let lock = include_str!("../Cargo.lock");
    let versions: Vec<String> =
        CRATES.iter().filter_map(|name| Some(format!("{name} {}", version(lock, name)?))).collect();
    let lines = [
        format!("- **Machine**: {cpu}, {cores} cores{virtual_machine}"),
        format!("- **System**: {}, Linux {}", system.trim_matches('"'), kernel.trim()),
        format!(
            "- **Compiler**: {}, `cargo bench` with its default profile: optimised, without link-time optimisation",
            version_output("rustc")
        ),
        format!("- **Instructions**: {}", version_output("valgrind")),
        format!("- **Crates**: {}", versions.join(", ")),
    ];
    lines.join("\n")
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn value(text: &str, key: &str, between: char) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(between)?.1.trim().to_owned())
}

fn version(lock: &str, name: &str) -> Option<String> {
    // If a peer crate depends on another version, the lock file names the version of this package.
    let (_, ours) = lock.split_once("name = \"tower-oauth2-benches\"\n")?;
    let (ours, _) = ours.split_once("]\n")?;
    if let Some((_, version)) = ours.split_once(&format!("\"{name} ")) {
        return Some(version.split_once('"')?.0.to_owned());
    }
    let (_, package) = lock.split_once(&format!("name = \"{name}\"\n"))?;
    Some(value(package.lines().next()?, "version", '=')?.trim_matches('"').to_owned())
}

/// Returns the output of `program --version`.
fn version_output(program: &str) -> String {
    let output = Command::new(program).arg("--version").output();
    output.map_or_else(|_| format!("no {program}"), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
