//! `GET /v1/models`: what the routing table names.

use http::{HeaderValue, Response, header};
use skinflint_policies::{ModelTable, ModelTarget, Upstream};
use skinflint_protocol::{ModelEntry, models_body};

use crate::{
    body::{Body, full},
    call::Call,
};

/// The models that can be asked for by an exact name. What a prefix covers is the provider's to list.
#[derive(Debug)]
pub(crate) struct ModelList {
    models: Vec<ModelEntry>,
}

// === impl ModelList ===

impl ModelList {
    /// Lists the exact names of a table.
    pub(crate) fn new(table: &ModelTable, upstreams: &[Upstream]) -> Self {
        let entry = |entry: &skinflint_policies::ModelEntry| {
            let owned_by = match entry.target {
                ModelTarget::Local(_) => "local",
                ModelTarget::Upstream { index, .. } => &upstreams[index].name,
            };
            Some(ModelEntry {
                id: entry.pattern.exact()?.to_owned(),
                owned_by: owned_by.to_owned(),
                created_unix: 0,
            })
        };
        Self {
            models: table.entries().iter().filter_map(entry).collect(),
        }
    }

    /// The list in the client's dialect.
    pub(super) fn answer(&self, call: &Call) -> Response<Body> {
        let dialect = call.receipt.surface().dialect(&call.parts.headers);
        let mut response = Response::new(full(models_body(dialect, &self.models)));
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        response
    }
}
