//! Reads the environment variables that configure proxies.

use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::error::Error;

const HTTPS: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
const HTTP: [&str; 2] = ["http_proxy", "HTTP_PROXY"];
const ALL: [&str; 2] = ["all_proxy", "ALL_PROXY"];
const NO: [&str; 2] = ["no_proxy", "NO_PROXY"];
/// Set in a CGI program, in which variables that begin with `HTTP_` are headers of a client's request.
const CGI: &str = "REQUEST_METHOD";

/// The variables that are set and not empty.
#[derive(Clone)]
pub(super) struct ProxyVariables(Vec<(&'static str, OsString)>);

impl ProxyVariables {
    pub(super) fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let names = [HTTPS, HTTP, ALL, NO].concat().into_iter().chain([CGI]);
        Self(names.filter_map(|name| Some((name, variable(name).filter(|value| !value.is_empty())?))).collect())
    }

    /// Returns the variables that a CGI program can rely on: a client can set `HTTP_PROXY` there.
    pub(super) fn without_client_headers(&self) -> Self {
        let mut variables = self.clone();
        if self.0.iter().any(|(name, _)| *name == CGI) {
            variables.0.retain(|(name, _)| *name != "HTTP_PROXY");
        }
        variables
    }

    /// Returns the name and the value of the variable for `https://` destinations.
    pub(super) fn https(&self) -> Result<Option<(&'static str, &str)>, Error> {
        self.first_of(&[HTTPS, ALL].concat())
    }

    /// Returns the name and the value of the variable for `http://` destinations.
    pub(super) fn http(&self) -> Result<Option<(&'static str, &str)>, Error> {
        self.first_of(&[HTTP, ALL].concat())
    }

    /// Returns the list of hosts that are connected to directly.
    pub(super) fn no_proxy(&self) -> Result<&str, Error> {
        Ok(self.first_of(&NO)?.map(|(_, value)| value).unwrap_or_default())
    }

    fn first_of(&self, names: &[&str]) -> Result<Option<(&'static str, &str)>, Error> {
        let found = names.iter().find_map(|name| self.0.iter().find(|(known, _)| known == name));
        found.map(|(name, value)| Ok((*name, text(name, value)?))).transpose()
    }
}

/// Prints only the names, because a value may contain a password.
impl fmt::Debug for ProxyVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

fn text<'a>(variable: &str, value: &'a OsStr) -> Result<&'a str, Error> {
    value.to_str().map(str::trim).ok_or_else(|| Error::argument(variable, "is not valid UTF-8"))
}
