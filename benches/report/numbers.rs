//! Reads the results of the benches from a folder.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// The name of a case and its numbers.
pub type Row = (String, Vec<f64>);

pub struct Numbers {
    folder: PathBuf,
}

impl Numbers {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Returns whether the bench of this table was run.
    pub fn has(&self, table: &str) -> bool {
        self.folder.join(format!("{table}.md")).exists()
    }

    pub fn markdown(&self, table: &str) -> Result<String, Box<dyn Error>> {
        self.read(table, "md")
    }

    /// Returns the cases of a table with their numbers.
    pub fn rows(&self, table: &str) -> Result<Vec<Row>, Box<dyn Error>> {
        let text = self.read(table, "tsv")?;
        let row = |line: &str| {
            let mut cells = line.split('\t');
            let case = cells.next().unwrap_or_default().to_owned();
            Ok((case, cells.map(str::parse).collect::<Result<_, _>>()?))
        };
        text.lines().map(row).collect()
    }

    /// Returns the number of a case in a column. Columns are counted from 0.
    pub fn of(&self, table: &str, case: &str, column: usize) -> Result<f64, Box<dyn Error>> {
        let rows = self.rows(table)?;
        let row = rows.iter().find(|(name, _)| name == case).ok_or_else(|| format!("no `{case}` in {table}"))?;
        row.1.get(column).copied().ok_or_else(|| format!("no column {column} in {table}").into())
    }

    fn read(&self, table: &str, kind: &str) -> Result<String, Box<dyn Error>> {
        let path = self.folder.join(format!("{table}.{kind}"));
        fs::read_to_string(&path).map_err(|error| format!("{table}: {error}").into())
    }
}
