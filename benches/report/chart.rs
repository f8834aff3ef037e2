//! A chart of lying bars, each with its name before it and its number behind it.

use std::fmt::{self, Write};

const WIDTH: f64 = 800.0;
const LEFT: f64 = 300.0;
const RIGHT: f64 = WIDTH - 160.0;

const TOP: f64 = 84.0;
const STEP: f64 = 30.0;
const THICK: f64 = 20.0;
/// Above a bar that begins a group.
const GAP: f64 = 12.0;

const STYLE: &str = "\
text { font: 13px system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; fill: #57606a }
.title { font-size: 18px; font-weight: 600; fill: #1f2328 }
.below { font-size: 12px }
.name { text-anchor: end }
.ours { font-weight: 600; fill: #0a6ebd }
.axis { stroke: #6e7781; stroke-width: 1 }
";

pub struct Chart {
    pub title: String,
    pub below: String,
    pub bars: Vec<Bar>,
}

pub struct Bar {
    pub kind: Kind,
    pub name: String,
    pub value: f64,
    pub note: String,
    pub begins_group: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Ours,
    Measure,
    Peer,
}

impl Kind {
    pub fn of(case: &str) -> Self {
        match case {
            case if case.contains("tower-oauth2") => Self::Ours,
            case if case.contains('`') => Self::Peer,
            _ => Self::Measure,
        }
    }

    fn color(self) -> &'static str {
        match self {
            Self::Ours => "#0a6ebd",
            Self::Measure => "#8c959f",
            Self::Peer => "#d4a372",
        }
    }
}

impl Chart {
    pub fn draw(&self) -> Result<String, fmt::Error> {
        let mut svg = String::new();
        let gaps = self.bars.iter().filter(|bar| bar.begins_group).count() as f64 * GAP;
        let end = TOP + STEP * self.bars.len() as f64 + gaps;
        let height = end + 16.0;
        let title = escaped(&self.title);
        // On one line, or Markdown does not take it for HTML.
        let size = format!(r#"viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}""#);
        writeln!(svg, r#"<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">"#)?;
        writeln!(svg, "<title id=\"title\">{title}</title>\n<style>\n{STYLE}</style>")?;
        // A ground of its own: it is read on light pages and on dark ones.
        writeln!(svg, r##"<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>"##)?;
        writeln!(svg, r#"<text class="title" x="20" y="34">{title}</text>"#)?;
        writeln!(svg, r#"<text class="below" x="20" y="56">{}</text>"#, escaped(&self.below))?;
        let mut y = TOP;
        for bar in &self.bars {
            y += if bar.begins_group { GAP } else { 0.0 };
            self.bar(&mut svg, y, bar)?;
            y += STEP;
        }
        let bottom = end - (STEP - THICK) + 4.0;
        writeln!(svg, r#"<line class="axis" x1="{LEFT}" y1="{:.1}" x2="{LEFT}" y2="{bottom:.1}"/>"#, TOP - 4.0)?;
        writeln!(svg, "</svg>")?;
        Ok(svg)
    }

    fn bar(&self, svg: &mut String, y: f64, bar: &Bar) -> fmt::Result {
        let (width, text) = (self.width(bar.value), y + THICK / 2.0 + 4.5);
        let ours = if bar.kind == Kind::Ours { " ours" } else { "" };
        let (name, note, color) = (escaped(&bar.name), escaped(&bar.note), bar.kind.color());
        writeln!(svg, r#"<text class="name{ours}" x="{:.1}" y="{text:.1}">{name}</text>"#, LEFT - 10.0)?;
        writeln!(svg, r#"<rect x="{LEFT}" y="{y:.1}" width="{width:.1}" height="{THICK}" rx="2" fill="{color}"/>"#)?;
        writeln!(svg, r#"<text class="note{ours}" x="{:.1}" y="{text:.1}">{note}</text>"#, LEFT + width + 8.0)
    }

    fn width(&self, value: f64) -> f64 {
        let largest = self.bars.iter().map(|bar| bar.value).fold(1.0, f64::max);
        (value / largest * (RIGHT - LEFT)).max(1.0)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
