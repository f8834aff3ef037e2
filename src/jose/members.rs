//! The members of a JSON object, whose order is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use zeroize::Zeroizing;

/// The members of a JSON object, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members(Vec<(String, Value)>);

impl Members {
    /// Sets a member. A name that is there already keeps its place.
    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(taken, _)| *taken == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.iter().find(|(taken, _)| *taken == name).and_then(|(_, value)| value.as_str())
    }

    /// Prints the object, without blanks.
    pub(crate) fn to_json(&self) -> String {
        // Names are text and values are JSON, so serializing cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(Zeroizing::new(self.to_json()).as_bytes())
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
