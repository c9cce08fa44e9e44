//! How many answers survive at which rate: [`run`].

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use skinflint_compressor::lingua::baselines::{self, Unigrams};
use skinflint_compressor::lingua::{Kept, LinguaOptions, Rules};
use skinflint_compressor::protected;
use skinflint_local_model::{EncoderOptions, Engine, TokenClassifier};

use crate::causal::Causal;
use crate::classes::{Classes, Read};
use crate::compressor::Count;
use crate::passages::{Passage, engine, figure, info, team};
use crate::reader::Memo;
use crate::result::real;
use crate::train::HEAD;
use crate::{EvalError, Method, ProseRequest};

/// Shares of tokens that are kept.
const RATES: [f64; 8] = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/// Which of them the figures are of.
const FIGURE_RATE: usize = 3;
/// Random choices are made so many times, and the mean is taken.
const SEEDS: u64 = 5;

/// What is measured with what.
#[derive(Debug, Clone)]
pub struct CurveOptions {
    /// The folder of the data.
    pub data: PathBuf,
    /// The folder of the models.
    pub models: PathBuf,
    /// The most passages.
    pub passages: usize,
    /// Where the table goes, in Markdown.
    pub table: Option<PathBuf>,
}

/// What chooses words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chooser {
    Random,
    Sentences,
    Unigram,
    Llmlingua,
    LongLlmlingua,
    KeepHead,
}

/// What a chooser comes to at each rate.
struct Curve {
    chooser: Chooser,
    protects: bool,
    /// The share of passages that still answer, and the share of tokens that is kept.
    points: Vec<(f64, f64)>,
}

struct Bench<'b> {
    engine: &'b Engine,
    classifier: Option<&'b TokenClassifier>,
    unigrams: Unigrams,
    count: Count,
    memo: Memo,
    /// What the classifier says of each text, which it says at every rate.
    classified: HashMap<String, Read>,
}

/// Measures on passages that no head was trained on, writes figures, and the table where it is asked for. A keep/drop head
/// is measured if it is there.
pub async fn run(options: &CurveOptions) -> Result<(), EvalError> {
    let (held_out, trained): (Vec<Passage>, Vec<Passage>) = Passage::load(&options.data)?
        .into_iter()
        .partition(Passage::is_held_out);
    let passages: Vec<Passage> = held_out.into_iter().take(options.passages).collect();
    if passages.is_empty() {
        return Err(EvalError::NoPassages);
    }
    let team = team()?;
    let engine = engine(&options.models, &team)?;
    let folder = options.models.join(HEAD);
    let classifier = folder
        .is_dir()
        .then(|| TokenClassifier::load(&folder, EncoderOptions::new(team, HEAD)))
        .transpose()?;
    let mut bench = Bench {
        engine: &engine,
        classifier: classifier.as_ref(),
        unigrams: Unigrams::of(trained.iter().map(|passage| passage.text.as_str())),
        count: Count::new(),
        memo: Memo::new(),
        classified: HashMap::new(),
    };
    let mut curves = Vec::new();
    for protects in [true, false] {
        for chooser in Chooser::ALL {
            if chooser == Chooser::KeepHead && classifier.is_none() {
                continue;
            }
            curves.push(bench.curve(&passages, chooser, protects).await?);
        }
    }
    info("curve_passages", real(passages.len()), "passages")?;
    figures(&curves)?;
    if let Some(path) = &options.table {
        let table = table(&curves);
        std::fs::write(path, table).map_err(|error| EvalError::file(path, error))?;
    }
    Ok(())
}

impl Bench<'_> {
    async fn curve(
        &mut self,
        passages: &[Passage],
        chooser: Chooser,
        protects: bool,
    ) -> Result<Curve, EvalError> {
        let mut points = Vec::with_capacity(RATES.len());
        for rate in RATES {
            let mut answered = 0.0;
            let mut tokens = 0;
            let mut kept_tokens = 0.0;
            for passage in passages {
                let kept = self.kept(passage, chooser, rate, protects).await?;
                let share = 1.0 / real(kept.len());
                for kept in kept {
                    let text = kept.text(&passage.text);
                    if passage.is_answered_by(&text) {
                        answered += share;
                    }
                    kept_tokens += share * real(self.count.of(&text));
                }
                tokens += self.count.of(&passage.text);
            }
            points.push((answered / real(passages.len()), kept_tokens / real(tokens)));
        }
        Ok(Curve {
            chooser,
            protects,
            points,
        })
    }

    /// What is kept of a passage; several times where chance chooses.
    async fn kept(
        &mut self,
        passage: &Passage,
        chooser: Chooser,
        rate: f64,
        protects: bool,
    ) -> Result<Vec<Kept>, EvalError> {
        let text = passage.text.as_str();
        let options = LinguaOptions {
            rate,
            keep_protected: protects,
            ..LinguaOptions::default()
        };
        let spans = protected(text);
        let rules = Rules {
            protected: &spans,
            options: &options,
        };
        let unigrams = &self.unigrams;
        let count = |text: &str| self.count.of(text);
        Ok(match chooser {
            Chooser::Random => (0..SEEDS)
                .map(|seed| baselines::random(text, rate, seed, rules, &count))
                .collect(),
            Chooser::Sentences => {
                let question = &passage.question;
                vec![baselines::best_sentences(
                    text, rate, question, rules, &count,
                )]
            }
            Chooser::Unigram => vec![baselines::unigram(text, rate, unigrams, rules, &count)],
            Chooser::Llmlingua => vec![self.causal(passage, options, Method::Llmlingua).await?],
            Chooser::LongLlmlingua => {
                vec![self.causal(passage, options, Method::LongLlmlingua).await?]
            }
            Chooser::KeepHead => match self.classifier {
                Some(classifier) => {
                    let classes = Classes::new(classifier, &options, &self.count)?;
                    if !self.classified.contains_key(text) {
                        let read = classes.read(text).await?;
                        self.classified.insert(text.to_owned(), read);
                    }
                    let read = self.classified.get(text);
                    read.map(|read| classes.kept(text, read, rate))
                        .into_iter()
                        .collect()
                }
                None => Vec::new(),
            },
        })
    }

    async fn causal(
        &mut self,
        passage: &Passage,
        mut options: LinguaOptions,
        method: Method,
    ) -> Result<Kept, EvalError> {
        // Of the passage alone: a rate would count the question, which is not compressed.
        let tokens = self.engine.pieces(&passage.text).len();
        let wanted = options.rate * real(tokens);
        options.target_token = (1..=tokens).find(|&target| real(target) + 0.5 > wanted);
        let contexts = [passage.text.clone()];
        let request = ProseRequest {
            contexts: &contexts,
            instruction: "",
            question: &passage.question,
            options: &options,
            method,
        };
        let causal = Causal::new(self.engine, &options, Some(&mut self.memo));
        let kept = causal.compress(&request).await?.pop();
        Ok(kept.map(|context| context.kept).unwrap_or_default())
    }
}

impl Chooser {
    const ALL: [Self; 6] = [
        Self::Random,
        Self::Sentences,
        Self::Unigram,
        Self::Llmlingua,
        Self::LongLlmlingua,
        Self::KeepHead,
    ];

    /// In names of figures.
    fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Sentences => "bm25_sentences",
            Self::Unigram => "unigram",
            Self::Llmlingua => "llmlingua",
            Self::LongLlmlingua => "longllmlingua",
            Self::KeepHead => "keep_head",
        }
    }

    /// In the table.
    fn title(self) -> &'static str {
        match self {
            Self::Random => "random words",
            Self::Sentences => "BM25 sentences (sees the question)",
            Self::Unigram => "unigram surprisal",
            Self::Llmlingua => "LLMLingua, gemma-3-270m",
            Self::LongLlmlingua => "LongLLMLingua, gemma-3-270m (sees the question)",
            Self::KeepHead => "LLMLingua-2 with our keep/drop head",
        }
    }
}

/// Each method beside random words at the same rate.
fn figures(curves: &[Curve]) -> Result<(), EvalError> {
    for curve in curves {
        let random = curves
            .iter()
            .find(|other| other.chooser == Chooser::Random && other.protects == curve.protects);
        let bound = random.map_or(0.0, |random| random.points[FIGURE_RATE].0);
        let suffix = if curve.protects { "_protected" } else { "" };
        let name = format!("recall_nq_{}{suffix}_at_50", curve.chooser.name());
        let (recall, _) = curve.points[FIGURE_RATE];
        if curve.chooser == Chooser::Random {
            info(&name, recall, "share")?;
        } else {
            figure(&name, recall, "share", bound)?;
        }
    }
    Ok(())
}

/// Two tables: with protected spans always kept, and with all words equal.
fn table(curves: &[Curve]) -> String {
    let mut text = String::new();
    for protects in [true, false] {
        let title = if protects {
            "Protected spans always kept"
        } else {
            "Protected spans compete, whole"
        };
        let rates: Vec<String> = RATES.iter().map(|rate| format!("{rate:.1}")).collect();
        // Writing to a string does not fail.
        let _ = writeln!(text, "**{title}**\n\n| method | {} |", rates.join(" | "));
        let _ = writeln!(text, "|---|{}", "---|".repeat(RATES.len()));
        for curve in curves.iter().filter(|curve| curve.protects == protects) {
            let cell = |(recall, kept): &(f64, f64)| {
                format!("{:.0} ({:.0})", 100.0 * recall, 100.0 * kept)
            };
            let cells: Vec<String> = curve.points.iter().map(cell).collect();
            let _ = writeln!(
                text,
                "| {} | {} |",
                curve.chooser.title(),
                cells.join(" | ")
            );
        }
        text.push('\n');
    }
    text
}
