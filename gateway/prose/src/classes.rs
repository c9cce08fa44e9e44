//! `LLMLingua-2`, by a model that classifies tokens.

use std::ops::Range;

use skinflint_compressor::lingua::classified::{
    self, ClassifiedText, ClassifiedToken, chunks, mean,
};
use skinflint_compressor::lingua::{Kept, LinguaOptions};
use skinflint_compressor::protected;
use skinflint_local_model::TokenClassifier;

use crate::causal::gather;
use crate::compressor::{Count, Parts};
use crate::{KeptContext, ProseError};

/// The most tokens of a chunk: what encoders with 512 positions have for a text.
const MAX_CHUNK: usize = 510;
/// Tokens that an encoder puts around a text.
const AROUND: usize = 2;

/// A classifier, and what it is asked for.
pub(crate) struct Classes<'a> {
    classifier: &'a TokenClassifier,
    options: &'a LinguaOptions,
    count: &'a Count,
    /// Which class means "keep".
    keep: usize,
}

/// A text whose tokens are classified.
pub(crate) struct Read {
    pub(crate) chunks: Vec<Range<usize>>,
    pub(crate) tokens: Vec<ClassifiedToken>,
}

impl<'a> Classes<'a> {
    pub(crate) fn new(
        classifier: &'a TokenClassifier,
        options: &'a LinguaOptions,
        count: &'a Count,
    ) -> Result<Self, ProseError> {
        let labels = classifier.labels();
        let named = |name: &str| {
            labels
                .iter()
                .position(|label| label.eq_ignore_ascii_case(name))
        };
        let keep = named("keep").or_else(|| named("LABEL_1").filter(|_| labels.len() == 2));
        let keep = keep.ok_or_else(|| ProseError::NoKeepClass {
            name: classifier.name().to_owned(),
            labels: labels.to_vec(),
        })?;
        Ok(Self {
            classifier,
            options,
            count,
            keep,
        })
    }

    /// Chooses contexts and words.
    pub(crate) async fn compress(&self, texts: &[String]) -> Result<Vec<KeptContext>, ProseError> {
        let mut read = Vec::with_capacity(texts.len());
        for text in texts {
            read.push(self.read(text).await?);
        }
        let means: Vec<f64> = read
            .iter()
            .map(|text| mean(text.tokens.iter().map(|token| f64::from(token.keep))))
            .collect();
        let counts: Vec<usize> = texts.iter().map(|text| self.count.of(text)).collect();
        let (selected, rate) = classified::filter(&means, &counts, self.options);
        let kept = selected.into_iter().map(|index| {
            let text = texts[index].as_str();
            let kept = self.kept(text, &read[index], rate);
            KeptContext {
                index,
                text: kept.text(text),
                kept,
            }
        });
        Ok(kept.collect())
    }

    /// Chooses words alone, each part at its own rate.
    pub(crate) async fn compress_parts(
        &self,
        contexts: &[Parts<'_>],
    ) -> Result<Vec<KeptContext>, ProseError> {
        let mut results = Vec::with_capacity(contexts.len());
        for context in contexts {
            let mut kept = Vec::with_capacity(context.sections.len());
            for section in &context.sections {
                let text = &context.text[section.content.clone()];
                let rate = section.rate.unwrap_or(self.options.rate);
                kept.push(if section.compress && rate < 1.0 {
                    self.kept(text, &self.read(text).await?, rate)
                } else {
                    Kept::all(text)
                });
            }
            results.push(gather(context, &mut kept.into_iter()));
        }
        Ok(results)
    }

    /// Classifies a text, chunk by chunk.
    pub(crate) async fn read(&self, text: &str) -> Result<Read, ProseError> {
        let ranges = self.classifier.ranges(text)?;
        let window = self.classifier.max_tokens().saturating_sub(AROUND);
        let chunks = chunks(
            text,
            &ranges,
            window.min(MAX_CHUNK),
            &self.options.chunk_end_tokens,
            &protected(text),
        );
        let texts: Vec<&str> = chunks.iter().map(|chunk| &text[chunk.clone()]).collect();
        let mut tokens = Vec::with_capacity(ranges.len());
        for (chunk, classified) in chunks.iter().zip(self.classifier.classify(&texts).await?) {
            tokens.extend(classified.tokens.into_iter().map(|token| ClassifiedToken {
                range: token.range.start + chunk.start..token.range.end + chunk.start,
                keep: token.probabilities.get(self.keep).copied().unwrap_or(0.0),
            }));
        }
        Ok(Read { chunks, tokens })
    }

    /// What is kept of a text at this rate.
    pub(crate) fn kept(&self, text: &str, read: &Read, rate: f64) -> Kept {
        let input = ClassifiedText {
            text,
            chunks: &read.chunks,
            tokens: &read.tokens,
            protected: &protected(text),
        };
        classified::compress(input, rate, self.options, &|text| self.count.of(text))
    }
}
