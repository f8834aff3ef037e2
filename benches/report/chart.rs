//! A chart of horizontal bars, with a name to the left and a number to the right of each.

use std::fmt::{self, Write};

const WIDTH: f64 = 800.0;
const LEFT: f64 = 300.0;
const RIGHT: f64 = WIDTH - 160.0;

const TOP: f64 = 84.0;
const BAR_DISTANCE: f64 = 30.0;
const BAR_HEIGHT: f64 = 20.0;
/// The space above a bar that starts a group.
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
    pub subtitle: String,
    pub bars: Vec<Bar>,
}

pub struct Bar {
    pub kind: Kind,
    pub name: String,
    pub value: f64,
    pub note: String,
    pub starts_group: bool,
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
        let gaps = self.bars.iter().filter(|bar| bar.starts_group).count() as f64 * GAP;
        let end = TOP + BAR_DISTANCE * self.bars.len() as f64 + gaps;
        let height = end + 16.0;
        let title = escaped(&self.title);
        // On one line, because Markdown would not treat it as HTML otherwise.
        let size = format!(r#"viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}""#);
        writeln!(svg, r#"<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">"#)?;
        writeln!(svg, "<title id=\"title\">{title}</title>\n<style>\n{STYLE}</style>")?;
        // An opaque background, for light and dark pages.
        writeln!(svg, r##"<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>"##)?;
        writeln!(svg, r#"<text class="title" x="20" y="34">{title}</text>"#)?;
        writeln!(svg, r#"<text class="below" x="20" y="56">{}</text>"#, escaped(&self.subtitle))?;
        let mut y = TOP;
        for bar in &self.bars {
            y += if bar.starts_group { GAP } else { 0.0 };
            self.bar(&mut svg, y, bar)?;
            y += BAR_DISTANCE;
        }
        let bottom = end - (BAR_DISTANCE - BAR_HEIGHT) + 4.0;
        writeln!(svg, r#"<line class="axis" x1="{LEFT}" y1="{:.1}" x2="{LEFT}" y2="{bottom:.1}"/>"#, TOP - 4.0)?;
        writeln!(svg, "</svg>")?;
        Ok(svg)
    }

    fn bar(&self, svg: &mut String, y: f64, bar: &Bar) -> fmt::Result {
        let (width, text) = (self.width(bar.value), y + BAR_HEIGHT / 2.0 + 4.5);
        let ours = if bar.kind == Kind::Ours { " ours" } else { "" };
        let (name, note, color) = (escaped(&bar.name), escaped(&bar.note), bar.kind.color());
        writeln!(svg, r#"<text class="name{ours}" x="{:.1}" y="{text:.1}">{name}</text>"#, LEFT - 10.0)?;
        writeln!(
            svg,
            r#"<rect x="{LEFT}" y="{y:.1}" width="{width:.1}" height="{BAR_HEIGHT}" rx="2" fill="{color}"/>"#
        )?;
        writeln!(svg, r#"<text class="note{ours}" x="{:.1}" y="{text:.1}">{note}</text>"#, LEFT + width + 8.0)
    }

    fn width(&self, value: f64) -> f64 {
        let max = self.bars.iter().map(|bar| bar.value).fold(1.0, f64::max);
        (value / max * (RIGHT - LEFT)).max(1.0)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
