//! What rounding activations costs, ours and llama.cpp's: [`compare`].

use super::llama_cpp::{CompareError, session};
use crate::figure::{Figure, Goal};
use crate::llama::Llama;
use crate::ours::Ours;
use crate::prompts::Prompt;
use crate::report::Report;
use crate::statistics::Agreement;

/// Where both round alike, one of the two is further off by chance.
const MARGIN: f64 = 1.1;

/// Scores every prompt with its continuation by a quantized file, ours and llama.cpp's, and by llama.cpp on the same weights
/// in single precision, where nothing is rounded; ours is to be no further from that than llama.cpp itself is, and a tenth.
pub fn compare(
    ours: &Ours,
    llama: &Llama,
    unrounded: &Llama,
    prompts: &[Prompt],
    prefix: &str,
    report: &mut Report,
) -> Result<(), CompareError> {
    let mut quantized = session(llama, prompts)?;
    let mut exact = session(unrounded, prompts)?;
    let (mut of_ours, mut of_llama) = (Agreement::default(), Agreement::default());
    for prompt in prompts {
        let tokens = unrounded.tokenize(&prompt.whole());
        let expected = exact.score(&tokens)?;
        of_ours.add_all(&ours.score(&tokens)?, &expected);
        of_llama.add_all(&quantized.score(&tokens)?, &expected);
    }
    let limit = of_llama.mean_difference();
    report.figure(&Figure::info(
        format!("{prefix}_rounding_llama"),
        limit,
        "nats",
    ))?;
    report.figure(&Figure::new(
        format!("{prefix}_rounding"),
        of_ours.mean_difference(),
        "nats",
        Goal::AtMost((limit * MARGIN * 1e4).ceil() / 1e4),
    ))?;
    Ok(())
}
