//! Embeddings made in this process.

use std::fmt::Debug;

use futures_util::{FutureExt, future::BoxFuture};
use http::Response;
use skinflint_protocol::{EmbeddingRequest, Embeddings, Usage, embeddings_body};
use tokio::time::Instant;

use super::{LocalRung, enter, response};
use crate::{
    accounting::Spending,
    body::{Body, full},
    call::ModelCall,
    error::{CallError, LocalError},
};

/// Bytes of texts that are read on the runtime's own threads: a millisecond of work at most.
const AT_ONCE: usize = 16 << 10;

/// A model that makes embeddings.
pub(crate) trait Embedder: Debug + Send + Sync {
    /// The name that calls ask for it by.
    fn name(&self) -> &str;

    /// Numbers in each of its vectors.
    fn dimensions(&self) -> usize;

    /// A vector for each text, in their order, and how many tokens they have together.
    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Embeddings, LocalError>>;

    /// Gives up what waits.
    fn stop(&self);
}

impl Embedder for skinflint_local_model::Embedder {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn dimensions(&self) -> usize {
        Self::dimensions(self)
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Embeddings, LocalError>> {
        let embedder = self.clone();
        let is_long = texts.iter().map(String::len).sum::<usize>() > AT_ONCE;
        let mut embedding = Box::pin(async move { Self::embed(&embedder, &texts).await });
        Box::pin(async move {
            let made = if is_long {
                // The first poll reads the texts; from then on there is only waiting.
                let first = tokio::task::spawn_blocking(move || {
                    let made = (&mut embedding).now_or_never();
                    (embedding, made)
                });
                // The runtime gives blocking work up only when it is shut down.
                let (embedding, made) = first.await.map_err(|_| LocalError::Stopping)?;
                match made {
                    Some(made) => made?,
                    None => embedding.await?,
                }
            } else {
                embedding.await?
            };
            Ok(Embeddings {
                vectors: made.vectors.iter().map(|vector| vector.to_vec()).collect(),
                prompt_tokens: made.tokens,
            })
        })
    }

    fn stop(&self) {
        Self::stop(self);
    }
}

// === impl LocalRung ===

impl LocalRung {
    /// Answers a call for embeddings.
    pub(super) async fn embed(
        &self,
        model_call: &ModelCall,
        name: &str,
        spending: Spending,
    ) -> Result<Response<Body>, CallError> {
        let ModelCall { call, view, .. } = model_call;
        self.local.check_embeds(name)?;
        let wanted = EmbeddingRequest::from_view(view, &call.body)?;
        let deadline = Some(Instant::now() + self.relay.first_byte);
        let embedder = self.in_time(deadline, self.local.embedder(name)).await?;
        wanted
            .check_dimensions(embedder.dimensions())
            .map_err(LocalError::from)?;
        let receipt = &call.receipt;
        let embedding = receipt.waiting(embedder.embed(wanted.texts));
        let made = self.in_time(deadline, embedding).await?;
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
