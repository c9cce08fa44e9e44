//! Query parameters: those that are known, each once.

use std::collections::BTreeMap;

use http::Uri;
use serde::Deserialize;
use url::form_urlencoded;

use super::ApiError;
use crate::inquiry;

/// The parameters of a request.
#[derive(Debug)]
pub(super) struct Query(BTreeMap<&'static str, String>);

// === impl Query ===

impl Query {
    /// Reads them. One that is not `known` is an error: it would be passed over, and the answer be another than was asked for.
    pub(super) fn read(uri: &Uri, known: &[&'static str]) -> Result<Self, ApiError> {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            let Some(&known) = known.iter().find(|known| **known == name) else {
                return Err(unknown(&name, known));
            };
            if parameters.insert(known, value.into_owned()).is_some() {
                let message = format!("query parameter `{known}` is given twice");
                return Err(ApiError::bad_request("bad_parameter", message));
            }
        }
        Ok(Self(parameters))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A number from 1 to `most`.
    pub(super) fn number(&self, name: &str, most: u32) -> Result<Option<u32>, ApiError> {
        let read = |text: &str| {
            text.parse()
                .ok()
                .filter(|number| (1..=most).contains(number))
                .ok_or_else(|| {
                    let message = format!("`{name}`: `{text}`: expected a number from 1 to {most}");
                    ApiError::bad_request("bad_parameter", message)
                })
        };
        self.text(name).map(read).transpose()
    }

    /// One of a few words.
    pub(super) fn word<'a, T: Deserialize<'a>>(
        &'a self,
        name: &str,
    ) -> Result<Option<T>, ApiError> {
        self.text(name)
            .map(inquiry::word)
            .transpose()
            .map_err(|error| ApiError::bad_request("bad_parameter", format!("`{name}`: {error}")))
    }
}

fn unknown(name: &str, known: &[&str]) -> ApiError {
    let known: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
    let there_are = match known.as_slice() {
        [] => "there are none here".to_owned(),
        known => format!("there are {}", known.join(", ")),
    };
    let message = format!("unknown query parameter `{name}`; {there_are}");
    ApiError::bad_request("unknown_parameter", message)
}
