//! Price lists of the providers, written down here for themselves.

use crate::BillLine;

/// Upstream (which names the price list), its protocol, and the model.
pub(super) const MODELS: [(&str, &str, &str); 3] = [
    ("openai", "openai", GPT),
    ("deepinfra", "openai", DEEPSEEK),
    ("anthropic", "anthropic", SONNET),
];
pub(super) const GPT: &str = "gpt-4.1-mini";
/// Its cache read costs a fraction of a nano-dollar, so that lines are rounded.
pub(super) const DEEPSEEK: &str = "deepseek-ai/DeepSeek-V4.1-Flash";
pub(super) const SONNET: &str = "claude-sonnet-4-5";

/// Pico-dollars a token: a millionth of the dollars per million tokens that price lists name.
#[derive(Debug, Clone, Copy)]
struct Prices {
    input: u64,
    cached: u64,
    write_5m: u64,
    write_1h: u64,
    output: u64,
}

/// $0.40, $0.10 cached, $1.60.
const GPT_PRICES: Prices = Prices {
    input: 400_000,
    cached: 100_000,
    write_5m: 0,
    write_1h: 0,
    output: 1_600_000,
};
/// $0.14, $0.0042 cached, $0.42.
const DEEPSEEK_PRICES: Prices = Prices {
    input: 140_000,
    cached: 4_200,
    write_5m: 0,
    write_1h: 0,
    output: 420_000,
};
/// $3.00, $0.30 cached, $3.75 and $6.00 written for five minutes and for an hour, $15.00.
const SONNET_PRICES: Prices = Prices {
    input: 3_000_000,
    cached: 300_000,
    write_5m: 3_750_000,
    write_1h: 6_000_000,
    output: 15_000_000,
};

/// What a line of the bill comes to in nano-dollars: each kind of token rounded once, half up.
pub(super) fn price(line: &BillLine) -> u64 {
    let prices = match &*line.model {
        GPT => GPT_PRICES,
        DEEPSEEK => DEEPSEEK_PRICES,
        SONNET => SONNET_PRICES,
        other => panic!("no price of {other}"),
    };
    let kinds = [
        (line.input, prices.input),
        (line.cached, prices.cached),
        (line.write_5m, prices.write_5m),
        (line.write_1h, prices.write_1h),
        (line.output, prices.output),
    ];
    let rounded = |(tokens, pico): (u64, u64)| (tokens * pico + 500) / 1_000;
    kinds.into_iter().map(rounded).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_rounded_one_by_one() {
        let line = |model: &str, cached| BillLine {
            model: model.into(),
            input: 1,
            cached,
            output: 1,
            ..BillLine::default()
        };
        // 140 + 420 + 537.6
        assert_eq!(price(&line(DEEPSEEK, 128)), 1_098);
        // 3,000 + 15,000 + 300
        assert_eq!(price(&line(SONNET, 1)), 18_300);
    }
}
