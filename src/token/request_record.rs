//! What the authorization or token request of a token has asked for, and when.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::challenge::Demand;

/// What was requested for a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RequestRecord {
    /// The scope, which can be wider than the one that was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) acr_values: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_age: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) claims: Option<Map<String, Value>>,
    /// When the login was completed, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) login_at: Option<u64>,
}

impl RequestRecord {
    /// Returns whether everything that a challenge demands was requested. `granted` is the scope of the token, which counts without a
    /// recorded one. `now` is in Unix seconds.
    pub(crate) fn satisfies(&self, demand: &Demand, granted: Option<&str>, now: u64) -> bool {
        let requested = self.scope.as_deref().or(granted).unwrap_or_default();
        let has_scope = demand.scope.iter().all(|name| requested.split(' ').any(|other| other == name));
        let has_acr = demand.acr_values.is_none() || demand.acr_values == self.acr_values;
        let has_claims = demand.claims.as_ref().is_none_or(|claims| self.has_claims(claims));
        has_scope && has_acr && has_claims && demand.max_age.is_none_or(|max_age| self.is_fresh(max_age, now))
    }

    /// Returns whether the login was requested to be this fresh, and still is.
    fn is_fresh(&self, max_age: u64, now: u64) -> bool {
        let age = self.login_at.map(|login_at| now.saturating_sub(login_at));
        // Without `max_age` in its request, the login can be older than its time: the server may have known the person already.
        self.max_age.is_some_and(|requested| requested <= max_age) && age.is_some_and(|age| age <= max_age)
    }

    fn has_claims(&self, demanded: &Map<String, Value>) -> bool {
        self.claims.as_ref().is_some_and(|claims| contains(claims, demanded))
    }
}

fn contains(all: &Map<String, Value>, some: &Map<String, Value>) -> bool {
    some.iter().all(|(name, value)| match (all.get(name), value) {
        (Some(Value::Object(all)), Value::Object(some)) => contains(all, some),
        (found, value) => found == Some(value),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Option<Map<String, Value>> {
        value.as_object().cloned()
    }

    #[test]
    fn a_demand_is_satisfied_if_all_of_it_was_requested() {
        let record = RequestRecord {
            scope: Some("read write".into()),
            acr_values: Some("mfa".into()),
            max_age: Some(60),
            claims: claims(json!({"access_token": {"nbf": {"value": "1"}, "acrs": {"value": "c1"}}})),
            login_at: Some(1000),
        };
        let demand = |scope: &[&str]| Demand {
            scope: scope.iter().map(|name| (*name).to_owned()).collect(),
            ..Demand::default()
        };
        let of_claims = |value| Demand { claims: claims(value), ..Demand::default() };
        let of_age = |max_age| Demand { max_age: Some(max_age), ..Demand::default() };
        for (demand, now, satisfied) in [
            (Demand::default(), 1000, true),
            (demand(&["read"]), 1000, true),
            (demand(&["read", "write"]), 1000, true),
            (demand(&["rea"]), 1000, false),
            (demand(&["read", "admin"]), 1000, false),
            (Demand { acr_values: Some("mfa".into()), ..Demand::default() }, 1000, true),
            (Demand { acr_values: Some("mfa hwk".into()), ..Demand::default() }, 1000, false),
            (of_age(60), 1060, true),
            (of_age(60), 1061, false),
            (of_age(59), 1000, false),
            (of_age(u64::MAX), 999_999, true),
            // The clock was set back.
            (of_age(60), 0, true),
            (of_claims(json!({})), 1000, true),
            (of_claims(json!({"access_token": {"nbf": {"value": "1"}}})), 1000, true),
            (of_claims(json!({"access_token": {"nbf": {"value": "2"}}})), 1000, false),
            (of_claims(json!({"id_token": {}})), 1000, false),
        ] {
            assert_eq!(record.satisfies(&demand, Some("admin"), now), satisfied, "{demand:?} {now}");
        }
        let empty = RequestRecord::default();
        assert!(
            empty.satisfies(&demand(&["read"]), Some("read write"), 0),
            "the granted scope counts without a record"
        );
        assert!(!empty.satisfies(&demand(&["read"]), None, 0));
        assert!(!empty.satisfies(&of_age(u64::MAX), None, 0), "it is not known how old the login is");
        assert!(!empty.satisfies(&of_claims(json!({})), None, 0));
    }
}
