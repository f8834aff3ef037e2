//! The page: static prose, and regions that each run replaces.

use std::error::Error;

const BEGIN: &str = "<!-- measured: ";
const END: &str = "<!-- end -->";

/// Replaces the text between `<!-- measured: name -->` and `<!-- end -->` by the output of `write` for that name. With `None` it stays.
pub fn fill(
    page: &str,
    write: impl Fn(&str) -> Result<Option<String>, Box<dyn Error>>,
) -> Result<String, Box<dyn Error>> {
    let mut out = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once(" -->").ok_or("a region has no name")?;
        let (measured_before, after) = after.split_once(END).ok_or_else(|| format!("`{name}` does not end"))?;
        let measured = write(name)?.unwrap_or_else(|| measured_before.to_owned());
        out.push_str(&format!("{before}{BEGIN}{name} -->\n{}\n{END}", measured.trim()));
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_before_is_replaced() {
        let page = "a\n<!-- measured: x -->\nold\n<!-- end -->\nb\n";
        let filled = fill(page, |name| Ok(Some(format!("new {name}\n")))).unwrap();
        assert_eq!(filled, "a\n<!-- measured: x -->\nnew x\n<!-- end -->\nb\n");
        assert_eq!(fill(&filled, |_| Ok(Some("old".into()))).unwrap(), page);
        assert_eq!(fill(page, |_| Ok(None)).unwrap(), page);
        assert!(fill("<!-- measured: x -->", |_| Ok(None)).is_err());
    }
}
