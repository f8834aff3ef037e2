//! Rust and Markdown as lower-case words: identifiers in their parts, and which words are prose.

use std::fs;
use std::path::Path;

/// A text file of the repository.
pub(crate) struct Text {
    /// The path from the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A word of a text, or the part of an identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// In lower case. Punctuation is one token, and so is the end of an identifier: `;`.
    pub(crate) text: String,
    pub(crate) line: usize,
    /// Whether the word is in a comment, a string or a page, and is not marked as code there.
    pub(crate) is_prose: bool,
}

/// Returns the files of Rust, Markdown and SVG in these folders, or these files.
pub(crate) fn texts(places: &[&str]) -> Vec<Text> {
    fn walk(root: &Path, path: &Path, found: &mut Vec<Text>) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                if entry.file_name() != "target" && entry.file_name() != "node_modules" {
                    walk(root, &entry.path(), found);
                }
            }
        } else if path.extension().is_some_and(|extension| ["rs", "md", "svg"].iter().any(|known| extension == *known))
        {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(Text { path: name, text: fs::read_to_string(path).unwrap() });
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for place in places {
        walk(root, &root.join(place), &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Splits a file into tokens.
pub(crate) fn tokens(file: &Text) -> Vec<Token> {
    let mut reader = Reader { tokens: Vec::new(), line: 1, is_fenced: false, is_code_span: false };
    if !file.path.ends_with(".rs") {
        reader.page(&file.text);
    } else {
        reader.rust(&file.text);
    }
    reader.tokens
}

struct Reader {
    tokens: Vec<Token>,
    line: usize,
    is_fenced: bool,
    is_code_span: bool,
}

// ===== impl Reader =====

impl Reader {
    fn rust(&mut self, text: &str) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = if rest.starts_with("//") {
                let length = rest.find('\n').unwrap_or(rest.len());
                // A comment line continues the one before it, so no token separates them.
                self.prose_line(rest[..length].trim_start_matches(['/', '!']).trim());
                length
            } else if let Some(length) = crate::words::literal(rest) {
                self.is_fenced = false;
                self.string(&rest[..length]);
                length
            } else if first.is_alphabetic() || first == '_' {
                self.is_fenced = false;
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                self.identifier(&rest[..length], false);
                self.punctuation();
                length
            } else {
                if !first.is_whitespace() {
                    self.punctuation();
                }
                first.len_utf8()
            };
            self.line += rest[..length].matches('\n').count();
            rest = &rest[length..];
        }
    }

    fn string(&mut self, text: &str) {
        self.punctuation();
        let is_prose = text.contains(' ') && !text.contains("\":");
        let mut line = self.line;
        std::mem::swap(&mut self.line, &mut line);
        let start = self.line;
        for (number, part) in text.split('\n').enumerate() {
            self.line = start + number;
            let part = part.replace("\\n", " . ").replace("\\\"", " ").replace("\\t", " ");
            self.is_code_span = !is_prose;
            self.words(&part);
        }
        self.is_code_span = false;
        self.line = start;
        self.punctuation();
    }

    fn page(&mut self, text: &str) {
        for line in text.split('\n') {
            self.prose_line(line.trim());
            self.line += 1;
        }
    }

    fn prose_line(&mut self, line: &str) {
        if line.is_empty() || line.starts_with("```") {
            self.is_fenced ^= line.starts_with("```");
            self.is_code_span = false;
            return self.punctuation();
        }
        if self.is_fenced {
            self.is_code_span = true;
        }
        self.words(line);
        if self.is_fenced {
            self.is_code_span = false;
            self.punctuation();
        }
    }

    fn words(&mut self, line: &str) {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let length = if first.is_alphanumeric() || first == '_' {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                self.identifier(&rest[..length], !self.is_code_span);
                length
            } else {
                self.is_code_span ^= first == '`' && !self.is_fenced;
                // A hyphen, an apostrophe or emphasis does not end a phrase.
                if !first.is_whitespace() && !matches!(first, '-' | '\'' | '’' | '*' | '_') {
                    self.punctuation();
                }
                first.len_utf8()
            };
            rest = &rest[length..];
        }
    }

    /// Adds the parts of `some_name` or `SomeName`.
    fn identifier(&mut self, name: &str, is_prose: bool) {
        let mut start = 0;
        let characters: Vec<(usize, char)> = name.char_indices().collect();
        for (number, (at, c)) in characters.iter().enumerate() {
            let before = number.checked_sub(1).map(|before| characters[before].1);
            let after = characters.get(number + 1).map(|(_, c)| *c);
            let begins = c.is_uppercase()
                && before.is_some_and(|before| before.is_lowercase() || after.is_some_and(char::is_lowercase));
            if *c == '_' || begins {
                self.push(&name[start..*at], is_prose);
                start = if *c == '_' { at + 1 } else { *at };
            }
        }
        self.push(&name[start..], is_prose);
    }

    fn push(&mut self, text: &str, is_prose: bool) {
        if !text.is_empty() {
            self.tokens.push(Token { text: text.to_lowercase(), line: self.line, is_prose });
        }
    }

    fn punctuation(&mut self) {
        if self.tokens.last().is_some_and(|last| last.text != ";") {
            self.tokens.push(Token { text: ";".to_owned(), line: self.line, is_prose: false });
        }
    }
}
