//! Embeddings made in this process.

use std::{fmt::Debug, sync::Arc};

use futures_util::future::BoxFuture;
use http::Response;
use skinflint_protocol::{EmbeddingRequest, Embeddings, Endpoint, Usage, embeddings_body};

use super::{LocalRung, enter, response};
use crate::{
    accounting::Spending,
    body::{Body, full},
    call::ModelCall,
    error::{CallError, LocalError},
};

/// A model that makes embeddings.
pub(crate) trait Embedder: Debug + Send + Sync {
    /// The name that calls ask for it by.
    fn name(&self) -> &str;

    /// Numbers in each of its vectors.
    fn dimensions(&self) -> usize;

    /// A vector for each text, in their order, and how many tokens they have together.
    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Embeddings, LocalError>>;
}

// === impl LocalRung ===

impl LocalRung {
    /// Answers a call for embeddings.
    pub(super) async fn embed(
        &self,
        model_call: &ModelCall,
        spending: Spending,
    ) -> Result<Response<Body>, CallError> {
        let ModelCall { call, view, .. } = model_call;
        let embedder = find(self.embedder.as_ref(), &view.model.value)?;
        let wanted = EmbeddingRequest::from_view(view, &call.body)?;
        wanted
            .check_dimensions(embedder.dimensions())
            .map_err(LocalError::from)?;
        let receipt = &call.receipt;
        let embedding = receipt.waiting(embedder.embed(wanted.texts));
        let made = self.in_time(None, embedding).await?;
        let usage = Usage {
            fresh_input: made.prompt_tokens,
            ..Usage::default()
        };
        enter(receipt, usage, None);
        receipt.enter(|entries| entries.answered_by = Some(embedder.name().to_owned()));
        spending.settle_local(usage);
        let body = embeddings_body(embedder.name(), wanted.encoding, &made);
        Ok(response("application/json", full(body)))
    }
}

/// The embedder that the call asks for: vectors of different models cannot be compared, so none stands in for another.
fn find<'e>(
    embedder: Option<&'e Arc<dyn Embedder>>,
    model: &str,
) -> Result<&'e Arc<dyn Embedder>, LocalError> {
    embedder
        .filter(|embedder| embedder.name() == model)
        .ok_or(LocalError::Endpoint(Endpoint::Embeddings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fixed;

    impl Embedder for Fixed {
        fn name(&self) -> &'static str {
            "fixed"
        }

        fn dimensions(&self) -> usize {
            2
        }

        fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Embeddings, LocalError>> {
            Box::pin(async move {
                Ok(Embeddings {
                    vectors: texts.iter().map(|_| vec![0.0, 1.0]).collect(),
                    prompt_tokens: texts.len() as u64,
                })
            })
        }
    }

    #[test]
    fn an_embedder_answers_to_its_own_name_alone() {
        let fixed: Arc<dyn Embedder> = Arc::new(Fixed);
        assert!(find(Some(&fixed), "fixed").is_ok());
        assert!(find(Some(&fixed), "gemma-3-270m").is_err());
        assert!(find(None, "fixed").is_err());
    }
}
