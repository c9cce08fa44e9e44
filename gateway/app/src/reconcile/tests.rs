use super::*;
use crate::sample::Sample;

fn read(csv: &str) -> Result<Export, String> {
    Export::read(csv.as_bytes()).map_err(|error| match error {
        ExportError::Csv(cause) => format!("not CSV: {cause}"),
        other => other.to_string(),
    })
}

/// What an export says, a line for each day and model.
fn told(csv: &str) -> String {
    let export = read(csv).unwrap();
    let mut lines = vec![format!(
        "{} {} to {}",
        export.name, export.first, export.last
    )];
    for ((day, model), figures) in &export.days {
        let figures: Vec<String> = export
            .measures
            .iter()
            .map(|measure| format!("{}={}", measure.name(), figures.get(*measure)))
            .collect();
        lines.push(format!("{day} {model}: {}", figures.join(" ")));
    }
    lines.join("\n")
}

#[test]
fn the_plain_form_is_read() {
    let csv = "\u{feff}date,model,input_tokens,cached_input_tokens,cache_write_5m_tokens,cache_write_1h_tokens,output_tokens,cost_usd\n\
        2026-11-01,gpt-5,1000,400,0,0,50,0.0015\n\
        2026-11-01,gpt-5,10,,,,5.0,-0.0000000005\n\
        2026-11-02,\"o3, pro\",1,0,0,0,1,0.00000000149999\n";
    insta::assert_snapshot!(told(csv), @r"
    plain 2026-11-01 to 2026-11-02
    2026-11-01 gpt-5: input_tokens=1010 cached_input_tokens=400 cache_write_5m_tokens=0 cache_write_1h_tokens=0 output_tokens=55 cost_usd=1499999
    2026-11-02 o3, pro: input_tokens=1 cached_input_tokens=0 cache_write_5m_tokens=0 cache_write_1h_tokens=0 output_tokens=1 cost_usd=1
    ");
}

#[test]
fn openais_usage_is_read_and_days_without_use_count_as_covered() {
    let csv = "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,service_tier,input_tokens,output_tokens,input_cached_tokens,input_uncached_tokens\n\
        1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,proj_1,10.0,,key_1,gpt-4o-2024-08-06,FALSE,default,59200.0,10646.0,5760.0,53440.0\n\
        1759708800,1759795200,2025-10-06T00:00:00+00:00,2025-10-07T00:00:00+00:00,,,,,,,,,,,\n";
    insta::assert_snapshot!(told(csv), @r"
    openai_usage 2025-10-05 to 2025-10-06
    2025-10-05 gpt-4o-2024-08-06: input_tokens=59200 cached_input_tokens=5760 output_tokens=10646
    ");
}

#[test]
fn openais_costs_are_read_by_line_item_or_as_a_whole() {
    let header = "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id\n";
    let grouped = format!(
        "{header}1790553600,1790640000,2026-09-28T00:00:00,2026-09-29T00:00:00,0.003835980000000000000000000000,usd,\"gpt-5-nano-2025-08-07, input\",p\n\
         1790553600,1790640000,2026-09-28T00:00:00,2026-09-29T00:00:00,0.5,usd,\"gpt-5-nano-2025-08-07, output\",p\n"
    );
    insta::assert_snapshot!(told(&grouped), @r"
    openai_costs 2026-09-28 to 2026-09-28
    2026-09-28 gpt-5-nano-2025-08-07: cost_usd=503835980
    ");
    let whole = format!(
        "{header}1790467200,1790553600,2026-09-27T00:00:00+00:00,2026-09-28T00:00:00+00:00,,,,\n\
         1790553600,1790640000,2026-09-28T00:00:00,2026-09-29T00:00:00,0.25,usd,,\n"
    );
    insta::assert_snapshot!(told(&whole), @r"
    openai_costs 2026-09-27 to 2026-09-28
    2026-09-28 all models: cost_usd=250000000
    ");
    let mixed = format!(
        "{grouped}1790553600,1790640000,2026-09-28T00:00:00,2026-09-29T00:00:00,0.25,usd,,\n"
    );
    insta::assert_snapshot!(read(&mixed).unwrap_err(), @"line 4, column `line_item`: no model, though other lines have one");
    let euros = whole.replace("usd", "eur");
    insta::assert_snapshot!(read(&euros).unwrap_err(), @"line 3, column `amount_currency`: `eur`: expected amounts in usd");
}

#[test]
fn anthropics_usage_and_costs_are_read() {
    let usage = "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count,inference_geo,speed\n\
        2025-12-04 13:00,claude-opus-4-5-20251101,some key,Default,standard,≤ 200k,1000,2000,500,3000,400,0,not_available,\n";
    insta::assert_snapshot!(told(usage), @r"
    anthropic_usage 2025-12-04 to 2025-12-04
    2025-12-04 claude-opus-4-5-20251101: input_tokens=6500 cached_input_tokens=3000 cache_write_5m_tokens=2000 cache_write_1h_tokens=500 output_tokens=400
    ");
    let costs = "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,inference_geo,speed\n\
        2025-12-04,Claude Haiku 4.5,Default,key,message,≤ 200k,input_no_cache,0.19,0.19,token,global,\n\
        2025-12-04,Claude Haiku 4.5,Default,key,message,≤ 200k,output,0.03,0.03,token,global,\n\
        2025-12-04,,Default,key,,,,0.01,0.01,web_search,,\n";
    insta::assert_snapshot!(told(costs), @r"
    anthropic_costs 2025-12-04 to 2025-12-04
    2025-12-04 Claude Haiku 4.5: cost_usd=220000000
    2025-12-04 web_search: cost_usd=10000000
    ");
}

#[test]
fn a_wrong_row_is_named_by_its_line_and_column() {
    let header = "date,model,output_tokens,cost_usd\n";
    let mut errors = Vec::new();
    for row in [
        "2026-11-01,m,1.5,0",
        "2026-11-01,m,-1,0",
        "2026-11-01,m,99999999999999999999,0",
        "2026-11-01,m,1,1e3",
        "2026-11-01,m,1,.5",
        "2026-11-01,m,1,NaN",
        "2026-11-01,m,1,99999999999",
        "2026-11-31,m,1,0",
        "2026-11-01T00:00:00+02:00,m,1,0",
        "01/11/2026,m,1,0",
        ",m,1,0",
        "2026-11-01,m,1",
    ] {
        let good = "2026-11-01,m,1,0.5";
        errors.push(read(&format!("{header}{good}\n{row}\n")).unwrap_err());
    }
    errors.push(read(header).unwrap_err());
    errors.push(read("").unwrap_err());
    errors.push(read("date,model\n2026-11-01,m\n").unwrap_err());
    insta::assert_snapshot!(errors.join("\n"), @r"
    line 3, column `output_tokens`: `1.5`: expected a number of tokens
    line 3, column `output_tokens`: `-1`: expected a number of tokens
    line 3, column `output_tokens`: `99999999999999999999`: expected a number of tokens
    line 3, column `cost_usd`: `1e3`: expected dollars as a decimal number such as 12.50
    line 3, column `cost_usd`: `.5`: expected dollars as a decimal number such as 12.50
    line 3, column `cost_usd`: `NaN`: expected dollars as a decimal number such as 12.50
    line 3, column `cost_usd`: `99999999999`: expected dollars as a decimal number such as 12.50
    line 3, column `date`: `2026-11-31`: expected a day such as 2026-11-01, in UTC
    line 3, column `date`: `2026-11-01T00:00:00+02:00`: expected a day such as 2026-11-01, in UTC
    line 3, column `date`: `01/11/2026`: expected a day such as 2026-11-01, in UTC
    line 3, column `date`: ``: expected a day such as 2026-11-01, in UTC
    not CSV: CSV error: record 2 (line: 3, byte: 53): found record with 3 fields, but the previous record has 4 fields
    the export has no rows
    the export's columns are of no kind that is known: ; expected those of OpenAI's or Anthropic's usage or costs, or `date`, `model` and any of `input_tokens`, `cached_input_tokens`, `cache_write_5m_tokens`, `cache_write_1h_tokens`, `output_tokens`, `cost_usd`
    the export's columns are of no kind that is known: date, model; expected those of OpenAI's or Anthropic's usage or costs, or `date`, `model` and any of `input_tokens`, `cached_input_tokens`, `cache_write_5m_tokens`, `cache_write_1h_tokens`, `output_tokens`, `cost_usd`
    ");
}

#[tokio::test]
async fn an_upstream_is_found_by_the_exports_provider() {
    let sample = Sample::new().await;
    let reader = sample.ledger.reader();
    let providers = |named: &[(&str, &str)]| -> Providers {
        let owned = |(name, of): &(&str, &str)| ((*name).to_owned(), (*of).to_owned());
        named.iter().map(owned).collect()
    };
    let csv = "usage_date_utc,model,token_type,cost_usd,cost_type\n2026-11-21,Claude Sonnet 4.5,output,0.04,token\n";
    let ours = providers(&[("openai", "openai"), ("anthropic", "anthropic")]);
    let found = reconcile(reader, csv.as_bytes(), None, &ours)
        .await
        .unwrap();
    assert_eq!(found.upstreams, BTreeSet::from(["anthropic".to_owned()]));
    let [line] = found.lines.as_slice() else {
        panic!("one line: {found:?}");
    };
    assert_eq!(line.model, "Claude Sonnet 4.5");
    let [cost] = found.compared(line).try_into().unwrap();
    assert_eq!((cost.ledger, cost.export), (40_000_000, 40_000_000));

    let others = providers(&[("openai", "openai")]);
    let error = reconcile(reader, csv.as_bytes(), None, &others)
        .await
        .unwrap_err();
    insta::assert_snapshot!(error, @"no upstream's provider is `anthropic`; say with `upstream` which one the export is of");
}
