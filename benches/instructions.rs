//! Instructions of one request on the hot path, by callgrind. Needs valgrind.
//!
//! ```text
//! cargo bench --manifest-path benches/Cargo.toml --bench instructions
//! ```



use tower_oauth2_benches::{callgrind, cases};

fn main() {
    let counts = callgrind::count(cases::hot_path);
    let of = |name| counts.iter().find(|(case, _)| case == name).unwrap().1;
    let (none, header) = (of(cases::NO_OP), of(cases::STATIC));
    println!("| one request | instructions | over no layer | × static header |");
    println!("| --- | ---: | ---: | ---: |");
    for (name, count) in &counts {
        let over = count - none;
        println!("| {name} | {count:.0} | {over:+.0} | {:.2} |", over / (header - none));
    }
}
