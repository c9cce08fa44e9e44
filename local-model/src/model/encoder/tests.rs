//! Against a reference that is written for reading: plain loops in double precision.

use std::num::NonZeroUsize;

use super::*;
use crate::checkpoint::Safetensors;
use crate::fixture::checkpoint::TinyCheckpoint;
use crate::fixture::encoders::{
    EPSILON, FEED_FORWARD, GLOBAL_BASE, HEADS, LABELS, LAYERS, LOCAL_BASE, MAX_LENGTH, PERIOD,
    RADIUS, VOCABULARY, WIDTH, bert, modern_bert, xlm_roberta,
};

const HEAD_DIM: usize = WIDTH / HEADS;

/// One row a token.
type Rows = Vec<Vec<f64>>;

fn team() -> Team {
    Team::new(NonZeroUsize::MIN).unwrap()
}

fn load(checkpoint: &TinyCheckpoint) -> std::result::Result<(Encoder, TokenHead), LoadFault> {
    let folder = checkpoint.write();
    let shape = EncoderShape::of_config(&folder.path().join("config.json"))?;
    let mut tensors = Safetensors::open(folder.path())?;
    let encoder = Encoder::load(&team(), shape, &mut tensors)?;
    let head = encoder.load_head(&team(), LABELS, &mut tensors)?;
    Ok((encoder, head))
}

fn fault(change: &dyn Fn(&mut TinyCheckpoint)) -> String {
    let mut checkpoint = bert();
    change(&mut checkpoint);
    load(&checkpoint).err().unwrap().to_string()
}

fn text(count: usize, seed: usize) -> Vec<u32> {
    let token = |index: usize| (index * index * 7 + index * 5 + seed) % VOCABULARY;
    (0..count).map(|index| token(index) as u32).collect()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Hidden states and the head's logits, those of all texts one after the other.
fn run((encoder, head): &(Encoder, TokenHead), texts: &[&[u32]]) -> (Vec<f32>, Vec<f32>) {
    let team = team();
    let lead = team.lead();
    let hidden = encoder.hidden(&lead, texts).unwrap();
    let logits = encoder.classify(&lead, head, &hidden).unwrap();
    (flat(&hidden), flat(&logits))
}

fn assert_close(found: &[f32], expected: &Rows, what: &str) {
    let expected: Vec<f64> = expected.iter().flatten().copied().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    let spread = expected.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let pairs = found.iter().zip(&expected);
    let difference = pairs.fold(0.0_f64, |most, (a, b)| most.max((f64::from(*a) - b).abs()));
    assert!(
        spread > 0.5 && difference < 1e-4,
        "{what}: {difference} of {spread}"
    );
}

/// The weights by name, with what stands before all names but the head's.
struct Weights<'a> {
    checkpoint: &'a TinyCheckpoint,
    prefix: &'static str,
}

impl Weights<'_> {
    fn named(&self, name: &str) -> Vec<f64> {
        let head = name.starts_with("classifier") || name.starts_with("head");
        let prefix = if head { "" } else { self.prefix };
        let name = format!("{prefix}{name}");
        let weights = self.checkpoint.weights(&name);
        weights.iter().copied().map(f64::from).collect()
    }

    /// `W x + b`, the bias where the family has one.
    fn linear(&self, name: &str, has_bias: bool, rows: &Rows) -> Rows {
        let weight = self.named(&format!("{name}.weight"));
        let bias = has_bias.then(|| self.named(&format!("{name}.bias")));
        let one = |x: &Vec<f64>| {
            let products = weight.chunks(x.len()).map(|row| dot(row, x));
            let bias = |index: usize| bias.as_ref().map_or(0.0, |bias| bias[index]);
            let sums = products.enumerate();
            sums.map(|(index, product)| product + bias(index)).collect()
        };
        rows.iter().map(one).collect()
    }

    fn norm(&self, name: &str, has_bias: bool, rows: &Rows) -> Rows {
        let weight = self.named(&format!("{name}.weight"));
        let bias = if has_bias {
            self.named(&format!("{name}.bias"))
        } else {
            vec![0.0; WIDTH]
        };
        let one = |x: &Vec<f64>| {
            let mean = x.iter().sum::<f64>() / WIDTH as f64;
            let squares = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
            let scale = 1.0 / (squares / WIDTH as f64 + EPSILON).sqrt();
            let scaled = x.iter().map(|x| (x - mean) * scale);
            let both = scaled.zip(&weight).zip(&bias);
            both.map(|((x, weight), bias)| x * weight + bias).collect()
        };
        rows.iter().map(one).collect()
    }

    fn table(&self, name: &str, row: usize) -> Vec<f64> {
        self.named(name)[row * WIDTH..][..WIDTH].to_vec()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn sum(a: &Rows, b: &Rows) -> Rows {
    let add = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| a + b).collect();
    a.iter().zip(b).map(add).collect()
}

/// The error function by its Maclaurin series, which converges everywhere.
fn erf(x: f64) -> f64 {
    assert!(x.abs() < 5.0, "{x} would cost the series its precision");
    let (mut power, mut total) = (x, 0.0);
    for n in 0..200 {
        let n = f64::from(n);
        total += power / (2.0 * n + 1.0);
        power *= -x * x / (n + 1.0);
    }
    total * 2.0 / std::f64::consts::PI.sqrt()
}

fn gelu(x: f64) -> f64 {
    let inner = x / std::f64::consts::SQRT_2;
    // Beyond, the error function is 1 to all places.
    let erf = if inner.abs() < 5.0 {
        erf(inner)
    } else {
        inner.signum()
    };
    0.5 * x * (1.0 + erf)
}

/// Queries, keys and values of a layer.
fn attend(query: &Rows, key: &Rows, value: &Rows, radius: Option<usize>) -> Rows {
    let mut out = vec![vec![0.0; WIDTH]; query.len()];
    for (at, out) in out.iter_mut().enumerate() {
        for head in 0..HEADS {
            let part = head * HEAD_DIM..(head + 1) * HEAD_DIM;
            let seen =
                (0..key.len()).filter(|&other| radius.is_none_or(|r| at.abs_diff(other) <= r));
            let weights: Vec<(usize, f64)> = seen
                .map(|other| {
                    let score = dot(&query[at][part.clone()], &key[other][part.clone()]);
                    (other, (score / (HEAD_DIM as f64).sqrt()).exp())
                })
                .collect();
            let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
            for (other, weight) in weights {
                for index in part.clone() {
                    out[index] += weight / total * value[other][index];
                }
            }
        }
    }
    out
}

fn rotate(rows: &Rows, base: f64) -> Rows {
    let mut out = rows.clone();
    for (position, (row, from)) in out.iter_mut().zip(rows).enumerate() {
        for pair in 0..HEAD_DIM / 2 {
            let angle = position as f64 / base.powf(2.0 * pair as f64 / HEAD_DIM as f64);
            for head in 0..HEADS {
                let (low, high) = (
                    head * HEAD_DIM + pair,
                    head * HEAD_DIM + pair + HEAD_DIM / 2,
                );
                row[low] = from[low] * angle.cos() - from[high] * angle.sin();
                row[high] = from[low] * angle.sin() + from[high] * angle.cos();
            }
        }
    }
    out
}

/// BERT and XLM-R: hidden states and logits.
fn behind_norms(weights: &Weights<'_>, first: usize, tokens: &[u32]) -> (Rows, Rows) {
    let embed = |(index, &token): (usize, &u32)| {
        let word = weights.table("embeddings.word_embeddings.weight", token as usize);
        let position = weights.table("embeddings.position_embeddings.weight", index + first);
        let first_type = weights.table("embeddings.token_type_embeddings.weight", 0);
        let all = word.iter().zip(position).zip(first_type);
        all.map(|((w, p), t)| w + p + t).collect()
    };
    let embedded = tokens.iter().enumerate().map(embed).collect();
    let mut x = weights.norm("embeddings.LayerNorm", true, &embedded);
    for layer in 0..LAYERS {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        let project =
            |part: &str| weights.linear(&name(&format!("attention.self.{part}")), true, &x);
        let mixed = attend(&project("query"), &project("key"), &project("value"), None);
        let mixed = weights.linear(&name("attention.output.dense"), true, &mixed);
        x = weights.norm(&name("attention.output.LayerNorm"), true, &sum(&x, &mixed));
        let mut inner = weights.linear(&name("intermediate.dense"), true, &x);
        inner
            .iter_mut()
            .flatten()
            .for_each(|value| *value = gelu(*value));
        let fed = weights.linear(&name("output.dense"), true, &inner);
        x = weights.norm(&name("output.LayerNorm"), true, &sum(&x, &fed));
    }
    let logits = weights.linear("classifier", true, &x);
    (x, logits)
}

/// `ModernBERT`: hidden states and logits.
fn before_norms(weights: &Weights<'_>, tokens: &[u32]) -> (Rows, Rows) {
    let words = "embeddings.tok_embeddings.weight";
    let embed = |&token: &u32| weights.table(words, token as usize);
    let embedded = tokens.iter().map(embed).collect();
    let mut x = weights.norm("embeddings.norm", false, &embedded);
    for layer in 0..LAYERS {
        let name = |part: &str| format!("layers.{layer}.{part}");
        let normed = if layer == 0 {
            x.clone()
        } else {
            weights.norm(&name("attn_norm"), false, &x)
        };
        let all = weights.linear(&name("attn.Wqkv"), false, &normed);
        let third = |index: usize| -> Rows {
            let part = index * WIDTH..(index + 1) * WIDTH;
            all.iter().map(|row| row[part.clone()].to_vec()).collect()
        };
        let (base, radius) = if layer % PERIOD == 0 {
            (GLOBAL_BASE, None)
        } else {
            (LOCAL_BASE, Some(RADIUS))
        };
        let (query, key) = (rotate(&third(0), base), rotate(&third(1), base));
        let mixed = attend(&query, &key, &third(2), radius);
        x = sum(&x, &weights.linear(&name("attn.Wo"), false, &mixed));
        let normed = weights.norm(&name("mlp_norm"), false, &x);
        let both = weights.linear(&name("mlp.Wi"), false, &normed);
        let gate = |row: &Vec<f64>| {
            let (opened, gates) = row.split_at(FEED_FORWARD);
            opened
                .iter()
                .zip(gates)
                .map(|(x, g)| gelu(*x) * g)
                .collect()
        };
        let inner = both.iter().map(gate).collect();
        x = sum(&x, &weights.linear(&name("mlp.Wo"), false, &inner));
    }
    let x = weights.norm("final_norm", false, &x);
    let mut inner = weights.linear("head.dense", false, &x);
    inner
        .iter_mut()
        .flatten()
        .for_each(|value| *value = gelu(*value));
    let inner = weights.norm("head.norm", false, &inner);
    let logits = weights.linear("classifier", true, &inner);
    (x, logits)
}

#[test]
fn the_reference_knows_the_error_function() {
    // Abramowitz and Stegun, table 7.1.
    for (x, value) in [
        (0.0, 0.0),
        (0.5, 0.520_499_877_8),
        (1.0, 0.842_700_792_9),
        (-2.0, -0.995_322_265_0),
    ] {
        assert!((erf(x) - value).abs() < 1e-9, "{x}");
    }
}

#[test]
fn bert_follows_the_reference() {
    let mut checkpoint = bert();
    let alone = load(&checkpoint).unwrap();
    let weights = |checkpoint, prefix| Weights { checkpoint, prefix };
    for count in [1, 2, 19, MAX_LENGTH] {
        let tokens = text(count, count);
        let (hidden, logits) = behind_norms(&weights(&checkpoint, ""), 0, &tokens);
        let found = run(&alone, &[&tokens]);
        assert_close(&found.0, &hidden, &format!("hidden states of {count}"));
        assert_close(&found.1, &logits, &format!("logits of {count}"));
    }
    // Saved with its head, its names have a prefix.
    let tokens = text(9, 1);
    let before = run(&alone, &[&tokens]);
    checkpoint.prefix("bert.", |name| !name.starts_with("classifier"));
    assert_eq!(run(&load(&checkpoint).unwrap(), &[&tokens]), before);
}

#[test]
fn xlm_r_follows_the_reference_from_its_first_position_on() {
    let checkpoint = xlm_roberta();
    let loaded = load(&checkpoint).unwrap();
    assert_eq!(loaded.0.max_length(), MAX_LENGTH);
    let weights = Weights {
        checkpoint: &checkpoint,
        prefix: "roberta.",
    };
    for count in [1, 11, MAX_LENGTH] {
        let tokens = text(count, 3);
        let (hidden, logits) = behind_norms(&weights, 2, &tokens);
        let found = run(&loaded, &[&tokens]);
        assert_close(&found.0, &hidden, &format!("hidden states of {count}"));
        assert_close(&found.1, &logits, &format!("logits of {count}"));
    }
}

#[test]
fn modern_bert_follows_the_reference_within_and_past_its_window() {
    let checkpoint = modern_bert();
    let loaded = load(&checkpoint).unwrap();
    let weights = Weights {
        checkpoint: &checkpoint,
        prefix: "model.",
    };
    for count in [1, RADIUS, 2 * RADIUS + 2, MAX_LENGTH] {
        let tokens = text(count, 5);
        let (hidden, logits) = before_norms(&weights, &tokens);
        let found = run(&loaded, &[&tokens]);
        assert_close(&found.0, &hidden, &format!("hidden states of {count}"));
        assert_close(&found.1, &logits, &format!("logits of {count}"));
    }
}

#[test]
fn newer_configs_name_bases_by_layer() {
    let tokens = text(MAX_LENGTH, 2);
    let mut checkpoint = modern_bert();
    let before = run(&load(&checkpoint).unwrap(), &[&tokens]);
    for name in ["global_rope_theta", "local_rope_theta"] {
        checkpoint.config.as_object_mut().unwrap().remove(name);
    }
    checkpoint.config["rope_parameters"] = serde_json::json!({
        "full_attention": {"rope_theta": GLOBAL_BASE},
        "sliding_attention": {"rope_theta": LOCAL_BASE},
    });
    assert_eq!(run(&load(&checkpoint).unwrap(), &[&tokens]), before);
}

#[test]
fn what_a_text_gets_does_not_depend_on_the_others() {
    let texts = [text(7, 1), text(1, 2), text(MAX_LENGTH, 3), text(12, 4)];
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    for checkpoint in [bert(), xlm_roberta(), modern_bert()] {
        let loaded = load(&checkpoint).unwrap();
        let mut alone = (Vec::new(), Vec::new());
        for text in &texts {
            let (hidden, logits) = run(&loaded, &[text]);
            alone.0.extend(hidden);
            alone.1.extend(logits);
        }
        // Bit for bit.
        assert_eq!(run(&loaded, &texts), alone);
    }
}

#[test]
fn texts_that_do_not_fit_the_weights_are_refused() {
    for checkpoint in [bert(), xlm_roberta(), modern_bert()] {
        let (encoder, _) = load(&checkpoint).unwrap();
        let team = team();
        let refused = |tokens: &[u32]| {
            let fine = text(3, 0);
            let hidden = encoder.hidden(&team.lead(), &[&fine, tokens]);
            hidden.unwrap_err().to_string()
        };
        assert!(refused(&text(MAX_LENGTH + 1, 0)).contains("a text of 33 tokens, at most 32"));
        assert!(refused(&[1, VOCABULARY as u32]).contains("token 40 of a vocabulary of 40"));
    }
}

#[test]
fn contradictions_are_named() {
    let set = |name: &'static str, value: serde_json::Value| {
        fault(&move |checkpoint| checkpoint.config[name] = value.clone())
    };
    assert_eq!(
        set("model_type", "t5".into()),
        "encoder \"t5\" is not supported (supported: bert, roberta, xlm-roberta, modernbert)"
    );
    assert_eq!(
        set("num_hidden_layers", 0.into()),
        "metadata does not describe a model: the number of layers is zero"
    );
    assert_eq!(
        set("num_attention_heads", 5.into()),
        "metadata does not describe a model: a width of 32 gives 5 heads no even size"
    );
    assert_eq!(
        set("hidden_act", "relu".into()),
        "metadata does not describe a model: activation \"relu\" is not supported"
    );
    assert_eq!(
        set("max_position_embeddings", 0.into()),
        "metadata does not describe a model: there is no room for a token"
    );
    assert!(
        set("hidden_size", "wide".into()).ends_with("config.json is damaged or of another kind")
    );
    assert_eq!(
        set("vocab_size", 41.into()),
        "tensor \"embeddings.word_embeddings.weight\" has [40, 32], expected shape [41, 32]"
    );
}

#[test]
fn missing_tensors_are_named() {
    for name in [
        "embeddings.position_embeddings.weight",
        "embeddings.LayerNorm.weight",
        "encoder.layer.2.output.dense.weight",
        "encoder.layer.3.output.LayerNorm.weight",
        "classifier.weight",
    ] {
        assert_eq!(
            fault(&|checkpoint| checkpoint.remove(name)),
            format!("tensor {name:?} is missing")
        );
    }
    let mut headless = modern_bert();
    headless.remove("head.norm.weight");
    let fault = load(&headless).err().unwrap().to_string();
    assert_eq!(fault, "tensor \"head.norm.weight\" is missing");
}

#[test]
fn biases_of_some_parts_alone_are_refused() {
    let name = "encoder.layer.1.attention.self";
    let one = fault(&|checkpoint| checkpoint.remove(&format!("{name}.key.bias")));
    assert_eq!(
        one,
        format!(
            "metadata does not describe a model: only some of {name}.query, {name}.key, {name}.value have a bias"
        )
    );
    // Without any it is another model, not a damaged one.
    let mut without = bert();
    for part in ["query", "key", "value"] {
        without.remove(&format!("{name}.{part}.bias"));
    }
    load(&without).unwrap();
}
