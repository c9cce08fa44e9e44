use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    price: Vec<Raw>,
    #[serde(default)]
    prices: RawSettings,
}

fn read(text: &str) -> Result<Prices, Invalid> {
    let file: File = toml::from_str(text).unwrap();
    validate(&file.price, file.prices)
}

fn total(price: &Price) -> String {
    let usage = Usage {
        fresh_input: 1_000_000,
        output: 1_000_000,
        ..Usage::default()
    };
    price
        .charge(&usage, ServiceTier::Standard)
        .unwrap()
        .total()
        .to_string()
}

#[test]
fn without_configuration_the_shipped_table_holds() {
    let prices = read("").unwrap();
    assert_eq!(prices.version(), "2026-11-21");
    assert_eq!(prices.unknown, UnknownPrice::Refuse);
    assert_eq!(prices.find(None, "my-llama"), None);
    let (_, source) = prices.find(Some("openai"), "gpt-5").unwrap();
    assert_eq!(source, PriceSource::Table);
    let Tariff::Machine(MachinePrice { per_hour }) = prices.local else {
        panic!("{:?}", prices.local);
    };
    assert_eq!(per_hour.to_string(), "0.20");
}

#[test]
fn an_override_goes_before_the_table() {
    let prices = read(
        r#"
        [[price]]
        model = "gpt-5"
        aliases = ["my-gpt"]
        input = "1.00"
        output = 9.5
        context = 1000

        [[price]]
        provider = "together_ai"
        model = "gpt-5"
        input = 2
        output = 10
        "#,
    )
    .unwrap();
    let of = |provider, model| {
        let (price, source) = prices.find(provider, model).unwrap();
        (total(&price), source)
    };
    let any = ("10.50".to_owned(), PriceSource::Override);
    assert_eq!(of(None, "gpt-5"), any);
    assert_eq!(of(Some("openai"), "gpt-5-2025-08-07"), any);
    assert_eq!(of(Some("elsewhere"), "My-GPT"), any);
    assert_eq!(
        of(Some("together"), "gpt-5"),
        ("12.00".to_owned(), PriceSource::Override)
    );
    assert_eq!(of(Some("openai"), "gpt-5-mini").1, PriceSource::Table);
    let (price, _) = prices.find(None, "my-gpt").unwrap();
    assert_eq!(price.context_window, Some(1000));
    assert!(price.hidden_reasoning, "what is not known may be hidden");
}

#[test]
fn an_override_of_an_upstream_holds_there_alone() {
    let prices = read(
        r#"
        price = [{ provider = "rack-3", model = "my-llama", input = "0.20", output = "0.60", hidden_reasoning = false }]
        "#,
    )
    .unwrap();
    let (price, _) = prices.find(Some("rack-3"), "my-llama").unwrap();
    assert_eq!(price.name, "rack-3/my-llama");
    assert!(!price.hidden_reasoning);
    assert!(prices.find(None, "rack-3/my-llama").is_some());
    assert_eq!(prices.find(Some("rack-4"), "my-llama"), None);
    // An upstream of which one model is overridden still knows the others.
    let (price, source) = prices.find(Some("rack-3"), "gpt-5").unwrap();
    assert_eq!(
        (price.name.as_str(), source),
        ("openai/gpt-5", PriceSource::Table)
    );
}

#[test]
fn a_price_can_be_that_of_another_model() {
    let prices = read(
        r#"
        [[price]]
        model = "ft:gpt-4.1:acme::1"
        like = "openai/gpt-4.1"
        max_output = 100
        "#,
    )
    .unwrap();
    let (like, _) = prices.find(Some("openai"), "ft:gpt-4.1:acme::1").unwrap();
    let (other, _) = prices.find(Some("openai"), "gpt-4.1").unwrap();
    for tier in ServiceTier::ALL {
        assert_eq!(like.rates(0, tier), other.rates(0, tier));
    }
    assert_eq!(like.max_output, Some(100));
    assert_eq!(like.context_window, other.context_window);
    assert_eq!(like.name, "ft:gpt-4.1:acme::1");
    assert_eq!(prices.find(None, "ft:gpt-4.1:acme::2"), None);
}

#[test]
fn what_is_unknown_can_have_a_worst_price() {
    let prices = read(
        r#"
        [prices.unknown]
        input = "30"
        output = "180"
        "#,
    )
    .unwrap();
    let (price, source) = prices.find(None, "gpt-9").unwrap();
    assert_eq!(source, PriceSource::Worst);
    assert_eq!(total(&price), "210.00");
    assert!(price.hidden_reasoning);
    let refused = read("prices.unknown = \"refuse\"").unwrap();
    assert_eq!(refused.unknown, UnknownPrice::Refuse);
}

#[test]
fn the_local_model_costs_machine_time_or_tokens() {
    let local = |text: &str| read(&format!("[prices]\nlocal = {text}")).unwrap().local;
    assert_eq!(
        local(r#"{ usd_per_hour = "0.05" }"#),
        Tariff::Machine(MachinePrice {
            per_hour: NanoUsd::new(50_000_000)
        })
    );
    let Tariff::Tokens(price) = local(r#"{ input = "0.01", output = "0.02" }"#) else {
        panic!("expected a price per token");
    };
    assert_eq!(total(&price), "0.03");
    assert_eq!(
        local("{ usd_per_hour = 0, free = true }"),
        Tariff::Machine(MachinePrice {
            per_hour: NanoUsd::ZERO
        })
    );
}

#[test]
fn a_price_of_zero_holds_where_it_is_meant() {
    let prices =
        read(r#"price = [{ model = "mine", input = 0, output = 0, free = true }]"#).unwrap();
    let (price, _) = prices.find(None, "mine").unwrap();
    assert_eq!(total(&price), "0.00");
}

#[test]
fn the_version_names_what_is_configured() {
    let version = |text: &str| read(text).unwrap().version().to_owned();
    let dear = version(r#"price = [{ model = "a", input = 1, output = 2 }]"#);
    let (shipped, hash) = dear.split_once('+').unwrap();
    assert_eq!(shipped, "2026-11-21");
    assert_eq!(hash.len(), 8);
    assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(
        dear,
        version(r#"price = [{ output = "2.00", model = "a", input = "1" }]"#)
    );
    assert_ne!(
        dear,
        version(r#"price = [{ model = "a", input = 1, output = 3 }]"#)
    );
    assert_ne!(
        dear,
        version(
            r#"
            price = [{ model = "a", input = 1, output = 2 }]
            prices.local = { usd_per_hour = 1 }
            "#
        )
    );
}

#[test]
fn a_senseless_price_is_refused_with_what_to_do() {
    let fault = |text: &str| {
        let invalid = read(text).unwrap_err();
        format!("{}: {}", invalid.field, invalid.message)
    };
    let zero = "is zero; if that is meant, write `free = true` beside it";
    let missing = "missing, expected dollars per million tokens such as \"0.20\"";
    for (text, expected) in [
        (r#"model = "a", output = 1"#, format!("price[0].input: {missing}")),
        (r#"model = "a", input = 1"#, format!("price[0].output: {missing}")),
        (r#"model = "a", input = 0, output = 1"#, format!("price[0].input: {zero}")),
        (r#"model = "a", input = 1, output = "0.00""#, format!("price[0].output: {zero}")),
        (r#"model = "a", input = 1, output = 1, cached_input = 0"#, format!("price[0].cached_input: {zero}")),
        (r#"model = "a", input = 1, output = 1, tool_use = 0"#, format!("price[0].tool_use: {zero}")),
        (
            r#"model = "a", input = 1, output = 10001"#,
            "price[0].output: 10001.00 dollars per million tokens is more than any model costs, expected at most \
             10000.00"
                .to_owned(),
        ),
        (
            r#"model = "a", input = 1, output = 1, batch = { input = 1 }"#,
            format!("price[0].batch.output: {missing}"),
        ),
        (
            r#"model = "a", input = 1, output = 1, long = [{ above = 9, input = 1, output = 1, flex = { output = 1 } }]"#,
            format!("price[0].long[0].flex.input: {missing}"),
        ),
        (
            r#"model = "a", input = 1, output = 1, long = [{ above = 9, input = 1, output = 1 }, { above = 9, input = 2, output = 2 }]"#,
            "price[0].long[1].above: prompts above 9 already have a price".to_owned(),
        ),
        (
            r#"model = "a", input = 1, output = 1, long = [{ above = 0, input = 1, output = 1 }]"#,
            "price[0].long[0].above: expected at least 1 token".to_owned(),
        ),
        (
            r#"model = "a", input = 1, output = 1, context = 0"#,
            "price[0].context: expected at least 1 token".to_owned(),
        ),
        (
            r#"model = "a", input = 1, output = 1, embedding = true"#,
            "price[0].output: a model with `embedding = true` generates nothing, take one of the two away".to_owned(),
        ),
        (
            "input = 1, output = 1",
            "price[0].model: expected one whole name, without `*` and without spaces around it".to_owned(),
        ),
        (
            r#"model = "gpt-*", input = 1, output = 1"#,
            "price[0].model: expected one whole name, without `*` and without spaces around it".to_owned(),
        ),
        (
            r#"model = "a", aliases = ["A"], input = 1, output = 1"#,
            "price[0].aliases[0]: `A` already has a price".to_owned(),
        ),
        (
            r#"model = "a", input = 1, output = 1 }, { model = "A", input = 2, output = 2"#,
            "price[1].model: `A` already has a price".to_owned(),
        ),
        (
            r#"model = "a", like = "gpt-99""#,
            "price[0].like: the shipped table has no price of `gpt-99`".to_owned(),
        ),
        (
            r#"model = "a", like = "gpt-5", output = 1"#,
            "price[0].output: `like` takes over every price of the other model, take one of the two away".to_owned(),
        ),
    ] {
        assert_eq!(fault(&format!("price = [{{ {text} }}]")), expected, "{text}");
    }
}

#[test]
fn senseless_settings_are_refused_with_what_to_do() {
    let fault = |text: &str| {
        let invalid = read(&format!("[prices]\n{text}")).unwrap_err();
        format!("{}: {}", invalid.field, invalid.message)
    };
    for (text, expected) in [
        (
            "unknown = \"free\"",
            "prices.unknown: expected \"refuse\" or a table with the price of the dearest model",
        ),
        (
            "unknown = { input = 1 }",
            "prices.unknown.output: missing, expected dollars per million tokens such as \"0.20\"",
        ),
        (
            "unknown = { model = \"a\", input = 1, output = 1 }",
            "prices.unknown.model: expected no name: this is the price of every model without one",
        ),
        (
            "local = {}",
            "prices.local: expected `usd_per_hour`, or `input` and `output` per million tokens",
        ),
        (
            "local = { usd_per_hour = 1, input = 1 }",
            "prices.local.usd_per_hour: expected either a price per hour or prices per million tokens",
        ),
        (
            "local = { usd_per_hour = 0 }",
            "prices.local.usd_per_hour: is zero; if that is meant, write `free = true` beside it",
        ),
        (
            "local = { usd_per_hour = 1001 }",
            "prices.local.usd_per_hour: expected at most 1000.00 dollars per hour",
        ),
        (
            "local = { input = 1 }",
            "prices.local.output: missing, expected dollars per million tokens such as \"0.20\"",
        ),
    ] {
        assert_eq!(fault(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_price_is_refused_where_it_stands() {
    for (text, expected) in [
        (
            r#"price = [{ model = "a", input = -1, output = 1 }]"#,
            "expected an amount that is not negative",
        ),
        (
            r#"price = [{ model = "a", input = "0.0000001", output = 1 }]"#,
            "expected at most 6 decimals",
        ),
        (
            r#"price = [{ model = "a", input = "cheap", output = 1 }]"#,
            "expected dollars as a decimal number such as `12.50`",
        ),
        (
            r#"price = [{ model = "a", inptu = 1 }]"#,
            "unknown field `inptu`",
        ),
        ("prices.unknown = 5", "\"refuse\" or a table with a price"),
        ("prices.unknown = { inptu = 1 }", "unknown field `inptu`"),
    ] {
        let error = toml::from_str::<File>(text).unwrap_err();
        assert!(error.message().contains(expected), "{text}: {error}");
    }
}
