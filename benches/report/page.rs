//! The page: static prose, and regions that each run replaces.

use std::error::Error;

const BEGIN: &str = "<!-- measured: ";
const END: &str = "<!-- end -->";

/// Replaces the text between `<!-- measured: name -->` and `<!-- end -->` by the output of `write` for that name.
pub fn fill(page: &str, write: impl Fn(&str) -> Result<String, Box<dyn Error>>) -> Result<String, Box<dyn Error>> {
    let mut out = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once(" -->").ok_or("a region has no name")?;
        let (_, after) = after.split_once(END).ok_or_else(|| format!("`{name}` does not end"))?;
        out.push_str(&format!("{before}{BEGIN}{name} -->\n{}\n{END}", write(name)?.trim_end()));
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
        let filled = fill(page, |name| Ok(format!("new {name}\n"))).unwrap();
        assert_eq!(filled, "a\n<!-- measured: x -->\nnew x\n<!-- end -->\nb\n");
        assert_eq!(fill(&filled, |_| Ok("old".into())).unwrap(), page);
        assert!(fill("<!-- measured: x -->", |_| Ok(String::new())).is_err());
    }
}
