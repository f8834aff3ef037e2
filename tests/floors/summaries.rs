//! Summaries of items: each stands alone in a list, with a verb.

use crate::prose::Text;

/// The first sentence of the documentation of an item.
pub(crate) struct Summary {
    line: usize,
    text: String,
    item: Item,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Function,
    /// A type, a trait, a module or a macro, which has a line of its own in a list.
    Listed,
    /// A field, a variant, a constant or an `impl`, which is described on the page of its type.
    Part,
}

/// Verb forms that cannot be recognized by their ending.
const VERBS: &[&str] = &[
    // Auxiliary and irregular verbs, and infinitives.
    "is",
    "are",
    "was",
    "were",
    "be",
    "been",
    "has",
    "have",
    "had",
    "does",
    "do",
    "did",
    "done",
    "can",
    "could",
    "must",
    "may",
    "might",
    "will",
    "would",
    "should",
    "cannot",
    "to",
    "built",
    "bound",
    "cut",
    "drawn",
    "found",
    "given",
    "held",
    "kept",
    "known",
    "left",
    "lost",
    "made",
    "met",
    "put",
    "read",
    "run",
    "said",
    "seen",
    "sent",
    "set",
    "shown",
    "shut",
    "spent",
    "taken",
    "thrown",
    "won",
    "woken",
    "written",
    "broken",
    "begun",
    "chosen",
    "hidden",
    "paid",
    "split",
    "let",
    "stuck",
    // The third person of verbs that are no common noun in the plural.
    "waits",
    "returns",
    "holds",
    "starts",
    "ends",
    "sends",
    "reads",
    "writes",
    "refreshes",
    "rejects",
    "carries",
    "means",
    "needs",
    "asks",
    "shows",
    "belongs",
    "contains",
    "keeps",
    "uses",
    "runs",
    "lets",
    "fails",
    "adds",
    "depends",
    "accepts",
    "makes",
    "gets",
    "takes",
    "gives",
    "sets",
    "decides",
    "applies",
    "stays",
    "exists",
    "expires",
    "passes",
    "differs",
    "follows",
    "obtains",
    "stores",
    "shares",
    "connects",
    "becomes",
    "cancels",
    "clears",
    "receives",
    "produces",
    "describes",
    "comes",
    "goes",
    "looks",
    "serves",
    "tries",
    "requires",
    "rotates",
    "wraps",
    "ignores",
    "turns",
    "implements",
    "outlives",
];

/// Words after which a verb follows.
const RELATIVE: &[&str] =
    &["that", "which", "who", "whose", "when", "while", "until", "if", "because", "how", "why", "where", "whether"];

/// Words that end like a verb at the start of a function's summary, and are none.
const NO_VERBS: &[&str] =
    &["this", "its", "as", "is", "was", "has", "does", "thus", "always", "perhaps", "its", "less", "plus"];

/// The summaries in a file of Rust that do not stand alone.
pub(crate) fn findings(file: &Text) -> Vec<String> {
    let stated = summaries(&file.text).into_iter().filter_map(|summary| {
        let problem = problem(&summary)?;
        Some(format!("{}:{}: {problem}: \"{}\"", file.path, summary.line, summary.text))
    });
    stated.collect()
}

fn problem(summary: &Summary) -> Option<&'static str> {
    let words: Vec<String> =
        summary.text.split(|c: char| c.is_whitespace() || c == '-').map(bare).filter(|word| !word.is_empty()).collect();
    let first = words.first().map_or("", String::as_str);
    if words.len() < 3 {
        return Some("a summary of fewer than three words");
    }
    if summary.item == Item::Part {
        return None;
    }
    if summary.item == Item::Function {
        let is_verb = first.ends_with('s') && !first.ends_with("ss") && !NO_VERBS.contains(&first);
        return (!is_verb).then_some("a function's summary starts with a verb such as Returns or Sets");
    }
    let is_verb = |word: &String| {
        VERBS.contains(&&**word)
            || RELATIVE.contains(&&**word)
            || word.len() > 4 && (word.ends_with("ed") || word.ends_with("ing"))
    };
    let starts_with_verb = first.ends_with('s') && !first.ends_with("ss") && !NO_VERBS.contains(&first);
    (!starts_with_verb && !words.iter().any(is_verb)).then_some("a summary without a verb")
}

fn bare(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

/// Returns the summaries of a file's modules and items.
pub(crate) fn summaries(text: &str) -> Vec<Summary> {
    // The tests of a file are at its end.
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let Some(marker) = ["///", "//!"].into_iter().find(|marker| lines[at].starts_with(marker)) else {
            at += 1;
            continue;
        };
        let start = at;
        while at < lines.len() && lines[at].starts_with(marker) {
            at += 1;
        }
        let paragraph: Vec<&str> =
            lines[start..at].iter().map(|line| line[3..].trim()).take_while(|line| !line.is_empty()).collect();
        let mut item = at;
        while item < lines.len()
            && (lines[item].starts_with("#[") || lines[item].starts_with("//") || lines[item].is_empty())
        {
            // An attribute of several lines ends with a bracket.
            while lines[item].starts_with("#[")
                && !lines[item].ends_with(']')
                && item + 1 < lines.len()
                && !lines[item + 1].ends_with(")]")
            {
                item += 1;
            }
            item += 1;
        }
        let item = if marker == "//!" { Item::Listed } else { kind(lines.get(item).unwrap_or(&"")) };
        found.push(Summary { line: start + 1, text: sentence(&paragraph.join(" ")), item });
    }
    found
}

fn kind(line: &str) -> Item {
    let mut words = line.split(['(', '<', ' ', '{', ':', '!']);
    let rest = line.strip_prefix("pub(").and_then(|rest| rest.split_once(") ")).map_or(line, |(_, rest)| rest);
    if words.any(|word| word == "fn") {
        return Item::Function;
    }
    let first = rest.trim_start_matches("pub ").split(' ').next().unwrap_or_default();
    if ["struct", "enum", "union", "trait", "type", "mod", "macro_rules!"].contains(&first) {
        Item::Listed
    } else {
        Item::Part
    }
}

/// The text up to the first full stop that ends a sentence.
fn sentence(text: &str) -> String {
    let end = text
        .match_indices(". ")
        .map(|(at, _)| at)
        .find(|at| !text[..*at].ends_with("e.g") && !text[..*at].ends_with("i.e"));
    text[..end.unwrap_or(text.len())].trim_end_matches('.').to_owned()
}

#[test]
fn a_summary_that_does_not_stand_alone_is_reported() {
    let found = |text: &str| {
        let found = findings(&Text { path: "src/a.rs".to_owned(), text: text.to_owned() });
        found.into_iter().map(|found| found.split(": ").nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    let function = "a function's summary starts with a verb such as Returns or Sets";
    assert_eq!(found("/// The token.\npub fn token() {}"), ["a summary of fewer than three words"]);
    assert_eq!(found("/// The token of it.\n#[must_use]\npub async fn token() {}"), [function]);
    assert_eq!(found("/// As the other one.\npub(crate) const fn token() {}"), [function]);
    assert_eq!(found("//! The token of the cell."), ["a summary without a verb"]);
    assert_eq!(found("/// The token of the cell. It is shared.\nstruct Token;"), ["a summary without a verb"]);
    for text in [
        "/// Returns the token.\npub fn token() {}",
        "//! A token that clones share.",
        "/// The token shared by clones.\n#[derive(Clone)]\npub struct Token;",
        "struct Token {\n    /// The token of the cell.\n    token: u8,\n}",
        "#[cfg(test)]\nmod tests {\n    /// As above.\n    fn f() {}\n}",
    ] {
        assert!(found(text).is_empty(), "{text}");
    }
}
