//! A keep/drop head for a sentence encoder: [`run`].

mod checkpoint;
mod labels;
mod logistic;

use std::path::{Path, PathBuf};

use skinflint_compressor::lingua::baselines;
use skinflint_compressor::lingua::{LinguaOptions, Rules};
use skinflint_local_model::{
    EncoderOptions, Engine, Team, TokenClassifier, TokenEncoder, TokenStates, locate,
};
use std::sync::Arc;

use crate::EvalError;
use crate::classes::Classes;
use crate::compressor::Count;
use crate::passages::{Passage, engine, figure, info, team};
use crate::reader::whole;
use crate::result::real;
use labels::{Label, labels};
use logistic::{Head, Sample};

/// The folder of the head, below the models folder.
pub const HEAD: &str = "keep-head";
/// What it is put on.
const BODY: &str = "all-minilm-l6-v2";
/// The rate at which answers are counted.
const RATE: f64 = 0.5;
/// Random words are chosen so many times.
const SEEDS: u64 = 5;

/// What is trained with what.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// The folder of the data.
    pub data: PathBuf,
    /// The folder of the models, where the head goes.
    pub models: PathBuf,
}

/// A passage, read by both models.
struct Studied {
    states: TokenStates,
    labels: Vec<Label>,
}

/// Trains a linear head by logistic regression, writes it as a `BertForTokenClassification` checkpoint, loads that, and tells
/// what it is worth on passages that it was not trained on.
pub async fn run(options: &TrainOptions) -> Result<(), EvalError> {
    let (held_out, trained): (Vec<Passage>, Vec<Passage>) = Passage::load(&options.data)?
        .into_iter()
        .partition(Passage::is_held_out);
    let team = team()?;
    let body = locate(BODY, &options.models)?;
    let engine = engine(&options.models, &team)?;
    let encoder = TokenEncoder::load(&body, EncoderOptions::new(Arc::clone(&team), BODY))?;
    let to_train = study(&engine, &encoder, &trained).await?;
    let to_check = study(&engine, &encoder, &held_out).await?;
    let head = Head::train(&samples(&to_train), encoder.width());
    info("keep_head_train_passages", real(trained.len()), "passages")?;
    for (name, studied) in [("train", &to_train), ("held_out", &to_check)] {
        report(name, &head, studied)?;
    }
    let folder = options.models.join(HEAD);
    checkpoint::write(&body, &folder, &head)?;
    recall(&folder, team, &held_out).await
}

async fn study(
    engine: &Engine,
    encoder: &TokenEncoder,
    passages: &[Passage],
) -> Result<Vec<Studied>, EvalError> {
    let texts: Vec<&str> = passages
        .iter()
        .map(|passage| passage.text.as_str())
        .collect();
    let mut studied = Vec::with_capacity(passages.len());
    for (passage, states) in passages.iter().zip(encoder.states(&texts).await?) {
        let pieces = engine.pieces(&passage.text);
        let mut tokens: Vec<u32> = engine.start_token().into_iter().collect();
        tokens.extend(pieces.iter().map(|piece| piece.id));
        let scores = whole(engine, tokens).await?;
        let ranges: Vec<_> = pieces.into_iter().map(|piece| piece.range).collect();
        // Without a start token the first piece has no score.
        let unscored = ranges.len().saturating_sub(scores.len());
        studied.push(Studied {
            labels: labels(passage, &states.ranges, &ranges[unscored..], &scores),
            states,
        });
    }
    Ok(studied)
}

fn samples(studied: &[Studied]) -> Vec<Sample<'_>> {
    let pairs = studied
        .iter()
        .flat_map(|text| text.states.states.iter().zip(&text.labels));
    pairs
        .map(|(features, label)| Sample {
            features,
            keep: label.keep,
            weight: label.weight,
        })
        .collect()
}

/// How often the head is right, and how often saying the same of all would be.
fn report(name: &str, head: &Head, studied: &[Studied]) -> Result<(), EvalError> {
    let samples = samples(studied);
    let right = samples
        .iter()
        .filter(|s| (head.logit(s.features) > 0.0) == s.keep);
    let keep = samples.iter().filter(|sample| sample.keep).count();
    let count = real(samples.len()).max(1.0);
    let share = real(keep) / count;
    info(&format!("keep_head_{name}_tokens"), count, "tokens")?;
    let right = real(right.count()) / count;
    figure(
        &format!("keep_head_{name}_accuracy"),
        right,
        "share",
        share.max(1.0 - share),
    )?;
    Ok(())
}

/// The share of passages that still answer at half the tokens, by the checkpoint as others load it.
async fn recall(folder: &Path, team: Arc<Team>, passages: &[Passage]) -> Result<(), EvalError> {
    let classifier = TokenClassifier::load(folder, EncoderOptions::new(team, HEAD))?;
    let options = LinguaOptions {
        keep_protected: false,
        ..LinguaOptions::default()
    };
    let rules = Rules {
        protected: &[],
        options: &options,
    };
    let count = Count::new();
    let classes = Classes::new(&classifier, &options, &count)?;
    let (mut by_head, mut by_chance) = (0.0, 0.0);
    for passage in passages {
        let text = passage.text.as_str();
        let read = classes.read(text).await?;
        let answers = |kept: &str| {
            if passage.is_answered_by(kept) {
                1.0
            } else {
                0.0
            }
        };
        by_head += answers(&classes.kept(text, &read, RATE).text(text));
        for seed in 0..SEEDS {
            let kept = baselines::random(text, RATE, seed, rules, &|text| count.of(text));
            by_chance += answers(&kept.text(text));
        }
    }
    let passages = real(passages.len()).max(1.0);
    let seeds = real(usize::try_from(SEEDS).unwrap_or(1));
    let bound = by_chance / passages / seeds;
    figure(
        "recall_nq_trained_head_at_50",
        by_head / passages,
        "share",
        bound,
    )?;
    Ok(())
}
