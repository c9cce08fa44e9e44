//! `LLMLingua` and `LongLLMLingua`, by a model that scores.

use skinflint_compressor::lingua::sentences::{self, sentences};
use skinflint_compressor::lingua::{
    Before, ConditionInQuestion, Context, Iterative, Kept, LinguaOptions, RankMethod, TextToken,
    budget, classified::mean, rank,
};
use skinflint_compressor::protected;
use skinflint_local_model::Engine;

use crate::compressor::{Parts, SEPARATOR};
use crate::reader::{Memo, Reader, whole};
use crate::result::real;
use crate::{KeptContext, Method, ProseError, ProseRequest};

/// The most tokens that are read at a time, whatever the model's context: keys and values take memory.
const MAX_READ: usize = 2048;

/// A model that scores, and what it is asked for.
pub(crate) struct Causal<'a> {
    engine: &'a Engine,
    options: &'a LinguaOptions,
    memo: Option<&'a mut Memo>,
    start: Vec<u32>,
    limit: usize,
}

impl<'a> Causal<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        options: &'a LinguaOptions,
        memo: Option<&'a mut Memo>,
    ) -> Self {
        let start = engine.start_token();
        let context = usize::try_from(engine.info().context_length).unwrap_or(usize::MAX);
        Self {
            engine,
            options,
            memo,
            // Something must be there for the first token to be likely by.
            start: start.map_or_else(|| ids(engine, "\n"), |start| vec![start]),
            limit: context.min(MAX_READ),
        }
    }

    /// Chooses contexts, sentences and words.
    pub(crate) async fn compress(
        mut self,
        request: &ProseRequest<'_>,
    ) -> Result<Vec<KeptContext>, ProseError> {
        let options = self.options;
        let tokens: Vec<Vec<TextToken>> = request
            .contexts
            .iter()
            .map(|text| self.tokens(text))
            .collect();
        let counts: Vec<usize> = tokens.iter().map(Vec::len).collect();
        let outside = |text| self.tokens(text).len();
        let target = budget::target(
            options,
            outside(request.instruction),
            outside(request.question),
            &counts,
        );
        let order = self.order(request).await?;
        let selected = budget::select(&order, &counts, target, options);
        let rates = budget::rates(&selected, &counts, target, options);
        let mut work = Vec::with_capacity(selected.len());
        for index in rank::reorder(&selected, options.reorder_context) {
            let rate = selected.iter().position(|&other| other == index);
            let rate = rate.and_then(|at| rates.get(at)).copied().unwrap_or(1.0);
            let text = request.contexts[index].as_str();
            let outer = self.sentences(text, &tokens[index], rate).await?;
            work.push((index, rate, outer));
        }
        let contexts = work.iter().map(|(index, rate, outer)| {
            let text = request.contexts[*index].as_str();
            let Some(outer) = outer else {
                return self.context(text, *rate);
            };
            // The sentence filter has taken its share.
            let context = self.context(&outer.text(text), 1.0);
            let left = real(context.tokens.len()) / real(counts[*index]).max(1.0);
            let rate = (rate / left.max(f64::MIN_POSITIVE)).min(1.0);
            Context { rate, ..context }
        });
        let contexts: Vec<Context> = contexts.collect();
        let kept = self.words(request, contexts, SEPARATOR).await?;
        let pairs = work.into_iter().zip(kept);
        Ok(pairs
            .map(|((index, _, outer), kept)| {
                let kept = outer.map_or_else(|| kept.clone(), |outer| outer.within(&kept));
                let text = kept.text(&request.contexts[index]);
                KeptContext { index, text, kept }
            })
            .collect())
    }

    /// Chooses words alone, each part at its own rate.
    pub(crate) async fn compress_parts(
        mut self,
        request: &ProseRequest<'_>,
        parts: &[Parts<'_>],
    ) -> Result<Vec<KeptContext>, ProseError> {
        let sections = parts.iter().flat_map(|context| {
            let sections = context.sections.iter();
            sections.map(|section| (context.text, section))
        });
        let contexts = sections.map(|(text, section)| {
            let rate = if section.compress {
                section.rate.unwrap_or(self.options.rate)
            } else {
                1.0
            };
            self.context(&text[section.content.clone()], rate)
        });
        let contexts: Vec<Context> = contexts.collect();
        let mut kept = self.words(request, contexts, "").await?.into_iter();
        Ok(parts
            .iter()
            .map(|context| gather(context, &mut kept))
            .collect())
    }

    async fn words(
        &mut self,
        request: &ProseRequest<'_>,
        contexts: Vec<Context>,
        separator: &str,
    ) -> Result<Vec<Kept>, ProseError> {
        let separator = ids(self.engine, separator);
        let mut before = Before {
            conditioned: self.start.clone(),
            plain: self.start.clone(),
            separator,
        };
        let mut options = self.options.clone();
        if request.method == Method::LongLlmlingua {
            options.condition_compare = true;
        }
        if options.condition_compare {
            let question = format!("{}{SEPARATOR}", request.question);
            before.conditioned.extend(ids(self.engine, &question));
            // A question that is longer than what is read is cut, so that there is room for what it is about.
            before.conditioned.truncate(self.limit / 2);
        }
        let machine = Iterative::new(contexts, before, self.limit, &options);
        let mut reader = Reader::new(self.engine, self.memo.as_deref_mut());
        reader.run(machine).await
    }

    /// The contexts' order, the best first.
    async fn order(&self, request: &ProseRequest<'_>) -> Result<Vec<usize>, ProseError> {
        let texts = request.contexts;
        if texts.len() < 2 {
            return Ok((0..texts.len()).collect());
        }
        let method = match request.method {
            Method::LongLlmlingua if self.options.rank_method == RankMethod::Llmlingua => {
                RankMethod::Longllmlingua
            }
            _ => self.options.rank_method,
        };
        if method == RankMethod::Bm25 {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            return Ok(rank::order(&rank::bm25(&texts, request.question), method));
        }
        let question = request.question;
        let asked = format!("{SEPARATOR}{question}{}", rank::RESTRICTIVE_SENTENCE);
        let condition = match (method, self.options.condition_in_question) {
            (RankMethod::Longllmlingua, ConditionInQuestion::None) => ConditionInQuestion::After,
            (RankMethod::Longllmlingua, condition) => condition,
            // How surprising a context is has nothing to do with the question.
            _ => ConditionInQuestion::None,
        };
        let mut scores = Vec::with_capacity(texts.len());
        for text in texts {
            let surprisal = match condition {
                ConditionInQuestion::None => self.surprisal("", text).await?,
                ConditionInQuestion::Before => {
                    let before = format!("{question}{SEPARATOR}");
                    self.surprisal(&before, text).await?
                }
                ConditionInQuestion::After => self.surprisal(text, &asked).await?,
            };
            scores.push(surprisal);
        }
        Ok(rank::order(&scores, method))
    }

    /// How surprising a text is behind another, as the mean of its tokens, in nats. Of what is too long to be read at once
    /// the start is read.
    async fn surprisal(&self, before: &str, text: &str) -> Result<f64, ProseError> {
        let mut text = ids(self.engine, text);
        text.truncate(self.limit / 2);
        if text.is_empty() {
            return Ok(0.0);
        }
        let mut tokens = self.start.clone();
        tokens.extend(ids(self.engine, before));
        tokens.truncate(self.limit - text.len());
        let from = tokens.len() - 1;
        tokens.extend(text);
        let logprobs = whole(self.engine, tokens).await?;
        let own = logprobs.get(from..).unwrap_or_default();
        Ok(mean(own.iter().map(|&logprob| -f64::from(logprob))))
    }

    /// What passes the sentence filter; none where there is none.
    async fn sentences(
        &self,
        text: &str,
        tokens: &[TextToken],
        rate: f64,
    ) -> Result<Option<Kept>, ProseError> {
        let options = self.options;
        if !options.use_sentence_level_filter || rate >= 1.0 {
            return Ok(None);
        }
        let ranges = sentences(text, &protected(text));
        let mut scores = Vec::with_capacity(ranges.len());
        let mut counts = Vec::with_capacity(ranges.len());
        for (at, range) in ranges.iter().enumerate() {
            // Behind the one before it: enough to tell a repetition, and never too long to be read.
            let before = at.checked_sub(1).map_or("", |at| &text[ranges[at].clone()]);
            scores.push(self.surprisal(before, &text[range.clone()]).await?);
            let own = |token: &&TextToken| range.contains(&token.range.start);
            counts.push(tokens.iter().filter(own).count());
        }
        let budget = rate * real(tokens.len()) * options.token_budget_ratio;
        let (first, last) = (options.keep_first_sentence, options.keep_last_sentence);
        let passed = sentences::select(&scores, &counts, budget, first, last);
        let passed = ranges.into_iter().zip(passed).filter(|(_, passed)| *passed);
        let spans = protected(text)
            .into_iter()
            .filter(|_| options.keep_protected);
        let mut ranges: Vec<_> = passed.map(|(range, _)| range).chain(spans).collect();
        ranges.sort_by_key(|range| range.start);
        Ok(Some(Kept::of(ranges)))
    }

    fn context(&self, text: &str, rate: f64) -> Context {
        Context {
            text: text.to_owned(),
            tokens: self.tokens(text),
            protected: protected(text),
            rate,
        }
    }

    fn tokens(&self, text: &str) -> Vec<TextToken> {
        let pieces = self.engine.pieces(text).into_iter();
        let token = |piece: skinflint_local_model::TextPiece| TextToken {
            id: piece.id,
            range: piece.range,
        };
        pieces.map(token).collect()
    }
}

fn ids(engine: &Engine, text: &str) -> Vec<u32> {
    let pieces = engine.pieces(text).into_iter();
    pieces.map(|piece| piece.id).collect()
}

/// What is kept of a context, of what is kept of each of its sections.
pub(crate) fn gather(context: &Parts<'_>, kept: &mut impl Iterator<Item = Kept>) -> KeptContext {
    let mut whole = Kept::default();
    for (section, kept) in context.sections.iter().zip(kept) {
        whole.extend(kept.shifted(section.content.start));
    }
    KeptContext {
        index: context.index,
        text: whole.text(context.text),
        kept: whole,
    }
}
