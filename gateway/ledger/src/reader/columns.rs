//! Lists of columns that several queries share, in the order in which [`Sums`](crate::Sums) reads them.

/// The sums of a row of `tasks` or `usage_hours`.
macro_rules! sums {
    () => {
        "calls, fresh_input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, cost, notional, \
         counterfactual, saved_provider_cache, saved_ours, harm"
    };
}

/// The sums of many rows of `usage_hours`. Postgres adds integers up to decimals, hence the casts.
macro_rules! added_sums {
    () => {
        "CAST(SUM(calls) AS BIGINT), CAST(SUM(fresh_input) AS BIGINT), CAST(SUM(cache_read) AS BIGINT), \
         CAST(SUM(cache_write_5m) AS BIGINT), CAST(SUM(cache_write_1h) AS BIGINT), CAST(SUM(output) AS BIGINT), \
         CAST(SUM(reasoning) AS BIGINT), CAST(SUM(cost) AS BIGINT), CAST(SUM(notional) AS BIGINT), \
         CAST(SUM(counterfactual) AS BIGINT), CAST(SUM(saved_provider_cache) AS BIGINT), \
         CAST(SUM(saved_ours) AS BIGINT), CAST(SUM(harm) AS BIGINT)"
    };
}

/// The sums of many rows of `attempts`, where what a subscription paid is marked.
macro_rules! attempt_sums {
    () => {
        "COUNT(*), CAST(SUM(fresh_input) AS BIGINT), CAST(SUM(cache_read) AS BIGINT), \
         CAST(SUM(cache_write_5m) AS BIGINT), CAST(SUM(cache_write_1h) AS BIGINT), CAST(SUM(output) AS BIGINT), \
         CAST(SUM(reasoning) AS BIGINT), CAST(SUM(cost * (1 - notional)) AS BIGINT), \
         CAST(SUM(cost * notional) AS BIGINT), CAST(SUM(counterfactual * (1 - notional)) AS BIGINT), \
         CAST(SUM(saved_provider_cache * (1 - notional)) AS BIGINT), \
         CAST(SUM(saved_ours * (1 - notional)) AS BIGINT), CAST(SUM(harm * (1 - notional)) AS BIGINT)"
    };
}

pub(super) use {added_sums, attempt_sums, sums};
