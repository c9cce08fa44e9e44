//! How many tokens each context gets: the budget controller (Jiang et al., EMNLP 2023, section 3.1; ACL 2024,
//! sections 4.3 and 4.4).

use super::LinguaOptions;
use super::choose::real;

/// The tokens that all contexts together are to have. Instruction and question are never compressed, so what they have
/// is taken off what the rate leaves; not below 0.
pub fn target(
    options: &LinguaOptions,
    instruction: usize,
    question: usize,
    contexts: &[usize],
) -> f64 {
    if let Some(target) = options.target_token {
        return real(target);
    }
    let outside = real(instruction) + real(question);
    let all = outside + real(contexts.iter().sum());
    (all * options.rate - outside).max(0.0)
}

/// The contexts that go on to be compressed, best first, of an order that has the best first: until
/// [`LinguaOptions::context_budget`] is spent, the one that overflows included; or so many as
/// [`LinguaOptions::target_context`] says. Forced ones are always there.
pub fn select(
    order: &[usize],
    tokens: &[usize],
    target: f64,
    options: &LinguaOptions,
) -> Vec<usize> {
    if !options.use_context_level_filter || order.len() < 2 {
        return order.to_vec();
    }
    let mut left = options.context_budget.of(target);
    let mut kept = 0;
    let fits = |&index: &usize| {
        let fits = match options.target_context {
            Some(contexts) => kept < contexts,
            // One is there in any case.
            None => left > 0.0 || kept == 0,
        };
        if fits {
            kept += 1;
            left -= real(tokens.get(index).copied().unwrap_or(0));
        }
        fits || options.force_context_ids.contains(&index)
    };
    order.iter().copied().filter(fits).collect()
}

/// The rate of each selected context, in their order, best first: what the target leaves of their tokens, and up to
/// [`LinguaOptions::dynamic_context_compression_ratio`] more for the best and less for the worst; 0 to 1.
pub fn rates(
    selected: &[usize],
    tokens: &[usize],
    target: f64,
    options: &LinguaOptions,
) -> Vec<f64> {
    let total = real(selected.iter().filter_map(|&index| tokens.get(index)).sum());
    let base = if total > 0.0 { target / total } else { 1.0 };
    let last = real(selected.len().saturating_sub(1));
    let spread = options.dynamic_context_compression_ratio;
    (0..selected.len())
        .map(|rank| {
            let delta = if last > 0.0 {
                spread * (1.0 - 2.0 * real(rank) / last)
            } else {
                0.0
            };
            (base + delta).clamp(0.0, 1.0)
        })
        .collect()
}
