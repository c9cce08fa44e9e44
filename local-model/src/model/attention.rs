//! Causal grouped-query attention over a [`LayerCache`], with or without a sliding window.

use candle_core::{Device, Result, Tensor};
use candle_nn::ops::softmax_last_dim;

use super::kv::LayerCache;

/// Queries handled at a time. It bounds the score matrix (queries × keys) when a chunk of a long
/// prompt is read, and leaves out keys that no query of the block sees.
const QUERY_BLOCK: usize = 64;

/// Attends from `queries`, (heads, positions, `head_dim`), already scaled, the first of which is at
/// position `first`. The cache holds the keys and values of these positions too.
/// Returns (positions, heads × `head_dim`).
pub(crate) fn attend(
    queries: &Tensor,
    first: usize,
    window: Option<usize>,
    cache: &LayerCache,
) -> Result<Tensor> {
    let (heads, count, head_dim) = queries.dims3()?;
    let mut blocks = Vec::with_capacity(count.div_ceil(QUERY_BLOCK));
    let mut done = 0;
    while done < count {
        let size = QUERY_BLOCK.min(count - done);
        let block = queries.narrow(1, done, size)?.contiguous()?;
        blocks.push(attend_block(&block, first + done, window, cache)?);
        done += size;
    }
    let attended = match blocks.as_slice() {
        [only] => only.clone(),
        several => Tensor::cat(several, 1)?,
    };
    attended
        .transpose(0, 1)?
        .contiguous()?
        .reshape((count, heads * head_dim))
}

fn attend_block(
    queries: &Tensor,
    first: usize,
    window: Option<usize>,
    cache: &LayerCache,
) -> Result<Tensor> {
    let (heads, count, head_dim) = queries.dims3()?;
    let end = first + count;
    let start = window.map_or(0, |window| (first + 1).saturating_sub(window));
    let (keys, values) = cache.range(start, end)?;
    let (key_heads, key_count, _) = keys.dims3()?;
    // Query heads that share a key head are its rows: one product per key head.
    let grouped = queries.reshape((key_heads, heads / key_heads * count, head_dim))?;
    let mut scores = grouped.matmul(&keys.t()?)?;
    // A single query is the newest position: it sees the whole range.
    if count > 1 {
        let mask = mask(first, count, start, key_count, window)?;
        scores = scores
            .reshape((heads, count, key_count))?
            .broadcast_add(&mask)?
            .reshape((key_heads, heads / key_heads * count, key_count))?;
    }
    softmax_last_dim(&scores)?
        .matmul(&values)?
        .reshape((heads, count, head_dim))
}

/// What is added to the scores, (queries, keys): 0 where the query sees the key, else −∞.
fn mask(
    first: usize,
    count: usize,
    start: usize,
    key_count: usize,
    window: Option<usize>,
) -> Result<Tensor> {
    let mut mask = Vec::with_capacity(count * key_count);
    for query in first..first + count {
        for key in start..start + key_count {
            let visible = key <= query && window.is_none_or(|window| query - key < window);
            mask.push(if visible { 0.0_f32 } else { f32::NEG_INFINITY });
        }
    }
    Tensor::from_vec(mask, (count, key_count), &Device::Cpu)
}
