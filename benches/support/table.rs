//! A table of numbers: printed, and written for the report if `BENCH_RESULTS` names a folder.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

/// The heads of the columns, each with the format of its numbers.
pub type Columns<'a> = &'a [(&'a str, fn(f64) -> String)];

pub struct Table {
    pub rows: Vec<(String, Vec<f64>)>,
}

impl Table {
    /// Prints the table, and writes it to files called `name`: as Markdown and as tab-separated numbers.
    pub fn publish(&self, name: &str, about: &str, columns: Columns<'_>) {
        let markdown = self.markdown(about, columns);
        println!("{markdown}");
        if let Some(folder) = env::var_os("BENCH_RESULTS") {
            let file = |kind| Path::new(&folder).join(format!("{name}.{kind}"));
            let numbers: String =
                self.rows.iter().map(|(case, values)| format!("{case}\t{}\n", join(values))).collect();
            fs::write(file("md"), markdown).expect("the folder can be written to");
            fs::write(file("tsv"), numbers).expect("the folder can be written to");
        }
    }

    fn markdown(&self, about: &str, columns: Columns<'_>) -> String {
        let heads: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
        let mut out = format!("| {about} | {} |\n| --- |{}\n", heads.join(" | "), " ---: |".repeat(heads.len()));
        for (case, values) in &self.rows {
            let cells: Vec<String> = values.iter().zip(columns).map(|(value, (_, show))| show(*value)).collect();
            let _ = writeln!(out, "| {case} | {} |", cells.join(" | "));
        }
        out
    }
}

fn join(values: &[f64]) -> String {
    values.iter().map(f64::to_string).collect::<Vec<_>>().join("\t")
}

/// Formats an integer. NaN stands for a value that was not measured.
pub fn integer(value: f64) -> String {
    if value.is_nan() { "–".into() } else { grouped(value.round() as i64) }
}

pub fn signed(value: f64) -> String {
    if value < 0.0 { integer(value) } else { format!("+{}", integer(value)) }
}

pub fn one_decimal(value: f64) -> String {
    let text = format!("{value:.1}");
    match &*text {
        "NaN" => "–".into(),
        // A small negative number.
        "-0.0" => "0.0".into(),
        _ => text,
    }
}

pub fn two_decimals(value: f64) -> String {
    if value.is_nan() { "–".into() } else { format!("{value:.2}") }
}

pub fn three_decimals(value: f64) -> String {
    if value.is_nan() { "–".into() } else { format!("{value:.3}") }
}

fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut out = String::from(if value < 0 { "−" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}
