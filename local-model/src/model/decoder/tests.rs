//! Against a reference that is written for reading: plain loops, one position after another.

use std::num::NonZeroUsize;

use skinflint_kernels::{Precision, Team};

use super::*;
use crate::fixture::{
    self, EPSILON, FEED_FORWARD, Fixture, HEAD_DIM, HEADS, KEY_HEADS, LAYERS, WIDTH, WINDOW,
};
use crate::gguf::GgufFile;
use crate::model::architecture::Architecture;
use crate::tokenizer::Tokenizer;
use candle_core::quantized::GgmlDType;

fn load(gguf: &mut GgufFile) -> std::result::Result<Decoder, LoadFault> {
    let vocabulary = Tokenizer::load(gguf)?.size();
    let architecture = Architecture::of_gguf(gguf.string("general.architecture")?)?;
    let shape = Shape::of_gguf(architecture, gguf, vocabulary)?;
    let compute = Compute {
        team: &team(),
        precision: Precision::Bits8,
    };
    Decoder::load(compute, shape, Naming::Gguf, gguf)
}

fn model(fixture: &Fixture) -> Decoder {
    load(&mut fixture.open()).unwrap()
}

fn team() -> Team {
    Team::new(NonZeroUsize::MIN).unwrap()
}

fn hidden(model: &dyn Model, tokens: &[u32], cache: &mut KvCache) -> Tensor {
    let rows = Rows::All;
    let mut chunks = [Chunk {
        tokens,
        cache,
        rows,
    }];
    model.hidden(&team().lead(), &mut chunks).unwrap()
}

/// Logits at every position, reading the tokens in chunks of the given size.
fn logits(model: &dyn Model, tokens: &[u32], chunk: usize) -> Vec<Vec<f32>> {
    let mut cache = model.cache();
    let mut rows = Vec::new();
    for chunk in tokens.chunks(chunk) {
        let hidden = hidden(model, chunk, &mut cache);
        rows.extend(
            model
                .logits(&team().lead(), &hidden)
                .unwrap()
                .to_vec2::<f32>()
                .unwrap(),
        );
    }
    assert_eq!(cache.position(), tokens.len());
    rows
}

fn tokens(count: usize) -> Vec<u32> {
    (0..count as u32)
        .map(|i| (i * 37 + i * i * 11) % 300)
        .collect()
}

fn largest_difference(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn product(weights: &[f32], x: &[f32]) -> Vec<f32> {
    weights.chunks(x.len()).map(|row| dot(row, x)).collect()
}

fn norm(x: &[f32], weights: &[f32]) -> Vec<f32> {
    let mean = dot(x, x) / x.len() as f32;
    let scale = 1.0 / (mean + EPSILON).sqrt();
    x.iter().zip(weights).map(|(x, w)| x * scale * w).collect()
}

fn rotate(x: &[f32], position: usize, base: f32) -> Vec<f32> {
    let half = x.len() / 2;
    let mut out = x.to_vec();
    for i in 0..half {
        let angle = position as f32 / base.powf(2.0 * i as f32 / x.len() as f32);
        out[i] = x[i] * angle.cos() - x[i + half] * angle.sin();
        out[i + half] = x[i] * angle.sin() + x[i + half] * angle.cos();
    }
    out
}

fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

/// One head over the keys that it may see.
fn attend_reference(
    query: &[f32],
    keys: &[Vec<f32>],
    values: &[Vec<f32>],
    from: usize,
) -> Vec<f32> {
    let scale = (HEAD_DIM as f32).sqrt();
    let scores: Vec<f32> = keys[from..]
        .iter()
        .map(|key| (dot(query, key) / scale).exp())
        .collect();
    let total: f32 = scores.iter().sum();
    let mut out = vec![0.0; HEAD_DIM];
    for (score, value) in scores.iter().zip(&values[from..]) {
        for (out, value) in out.iter_mut().zip(value) {
            *out += score / total * value;
        }
    }
    out
}

fn reference(fixture: &Fixture, tokens: &[u32]) -> Vec<Vec<f32>> {
    let embedding = fixture.weights("token_embd.weight");
    // Per layer and key head, one row per position.
    let mut keys = vec![vec![Vec::new(); KEY_HEADS]; LAYERS];
    let mut values = vec![vec![Vec::new(); KEY_HEADS]; LAYERS];
    let mut out = Vec::new();
    for (position, &token) in tokens.iter().enumerate() {
        let row = &embedding[token as usize * WIDTH..][..WIDTH];
        let mut x: Vec<f32> = row.iter().map(|x| x * (WIDTH as f32).sqrt()).collect();
        for layer in 0..LAYERS {
            let weights = |part: &str| fixture.weights(&format!("blk.{layer}.{part}.weight"));
            let is_global = layer % 6 == 5;
            let base = if is_global { 1_000_000.0 } else { 10_000.0 };
            let from = if is_global {
                0
            } else {
                (position + 1).saturating_sub(WINDOW)
            };
            let normed = norm(&x, &weights("attn_norm"));
            let key_rows = product(&weights("attn_k"), &normed);
            let value_rows = product(&weights("attn_v"), &normed);
            for head in 0..KEY_HEADS {
                let part = head * HEAD_DIM..(head + 1) * HEAD_DIM;
                let key = norm(&key_rows[part.clone()], &weights("attn_k_norm"));
                keys[layer][head].push(rotate(&key, position, base));
                values[layer][head].push(value_rows[part].to_vec());
            }
            let attended: Vec<f32> = product(&weights("attn_q"), &normed)
                .chunks(HEAD_DIM)
                .enumerate()
                .flat_map(|(head, query)| {
                    let query = rotate(&norm(query, &weights("attn_q_norm")), position, base);
                    let shared = head / (HEADS / KEY_HEADS);
                    attend_reference(&query, &keys[layer][shared], &values[layer][shared], from)
                })
                .collect();
            let attended = product(&weights("attn_output"), &attended);
            add(&mut x, &norm(&attended, &weights("post_attention_norm")));
            let normed = norm(&x, &weights("ffn_norm"));
            let (gate, up) = (
                product(&weights("ffn_gate"), &normed),
                product(&weights("ffn_up"), &normed),
            );
            let gated: Vec<f32> = gate
                .iter()
                .zip(up)
                .map(|(gate, up)| {
                    let inner = 0.797_884_6 * (gate + 0.044_715 * gate * gate * gate);
                    0.5 * gate * (1.0 + inner.tanh()) * up
                })
                .collect();
            assert_eq!(gated.len(), FEED_FORWARD);
            add(
                &mut x,
                &norm(
                    &product(&weights("ffn_down"), &gated),
                    &weights("post_ffw_norm"),
                ),
            );
        }
        out.push(product(
            &embedding,
            &norm(&x, &fixture.weights("output_norm.weight")),
        ));
    }
    out
}

#[test]
fn follows_the_reference() {
    let fixture = Fixture::new(GgmlDType::F32);
    // Past two windows, so that the sliding layers forget.
    let tokens = tokens(3 * WINDOW + 3);
    let expected = reference(&fixture, &tokens);
    let got = logits(&model(&fixture), &tokens, tokens.len());
    let spread = expected
        .iter()
        .flatten()
        .fold(0.0_f32, |most, x| most.max(x.abs()));
    let difference = largest_difference(&expected, &got);
    assert!(
        // Keys and values are kept in half precision.
        spread > 1.0 && difference < 5e-3,
        "{difference} of {spread}"
    );
}

#[test]
fn chunks_of_any_size_give_the_same_logits() {
    let model = model(&Fixture::new(GgmlDType::F32));
    // Longer than a step of the cache and than a block of queries.
    let tokens = tokens(700);
    let at_once = logits(&model, &tokens, tokens.len());
    for chunk in [1, 7, WINDOW, 64, 65, 300] {
        assert_eq!(logits(&model, &tokens, chunk), at_once, "chunks of {chunk}");
    }
}

#[test]
fn quantized_weights_stay_close_to_their_floats() {
    let tokens = tokens(40);
    let expected = reference(&Fixture::new(GgmlDType::Q8_0), &tokens);
    let model = model(&Fixture::new(GgmlDType::Q8_0));
    for chunk in [1, 40] {
        let got = logits(&model, &tokens, chunk);
        // Activations are rounded to 8 bits on the way.
        let difference = largest_difference(&expected, &got);
        assert!(difference < 0.8, "chunks of {chunk}: {difference}");
    }
}

#[test]
fn contradictions_are_named() {
    let fault = |change: &dyn Fn(&mut Fixture)| {
        let mut fixture = Fixture::new(GgmlDType::F32);
        change(&mut fixture);
        load(&mut fixture.open()).err().unwrap().to_string()
    };
    let set = |key: &'static str, value: u32| {
        fault(&move |fixture: &mut Fixture| {
            fixture.set(key, candle_core::quantized::gguf_file::Value::U32(value));
        })
    };
    assert_eq!(
        fault(&|fixture| fixture.remove_tensor("blk.3.ffn_up.weight")),
        "tensor \"blk.3.ffn_up.weight\" is missing"
    );
    assert_eq!(
        fault(&|fixture| fixture.unset("gemma3.attention.sliding_window")),
        "metadata \"gemma3.attention.sliding_window\" is missing or is not a whole number"
    );
    assert_eq!(
        set("gemma3.embedding_length", 64),
        "tensor \"token_embd.weight\" has [304, 32], expected shape [304, 64]"
    );
    assert_eq!(
        set("gemma3.attention.head_count_kv", 3),
        "metadata does not describe a model: 4 heads do not share 3 key heads evenly"
    );
    assert_eq!(
        set("gemma3.block_count", 0),
        "metadata does not describe a model: the number of layers is zero"
    );
}

#[test]
fn real_weights_give_the_same_logits_in_chunks() {
    let Some(path) = fixture::real_model() else {
        return;
    };
    let mut gguf = GgufFile::open(&path).unwrap();
    let tokenizer = Tokenizer::load(&mut gguf).unwrap();
    let model = load(&mut GgufFile::open(&path).unwrap()).unwrap();
    let text =
        "The quick brown fox jumps over the lazy dog, and then it sleeps until noon. ".repeat(3);
    let tokens = tokenizer.encode_prompt(&text);
    let last = |chunk: usize| {
        let mut cache = model.cache();
        let chunks = tokens.chunks(chunk);
        let hidden = chunks
            .map(|chunk| hidden(&model, chunk, &mut cache))
            .last()
            .unwrap();
        let row = hidden.narrow(0, hidden.dim(0).unwrap() - 1, 1).unwrap();
        let row = row.contiguous().unwrap();
        let logits = model.logits(&team().lead(), &row).unwrap();
        logits.squeeze(0).unwrap().to_vec1::<f32>().unwrap()
    };
    let at_once = last(tokens.len());
    for chunk in [1, 30] {
        assert_eq!(last(chunk), at_once, "chunks of {chunk}");
    }
}
