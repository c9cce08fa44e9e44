use super::*;
use crate::sample::Sample;

#[tokio::test]
async fn the_two_sides_are_shown_with_their_difference() {
    let sample = Sample::new().await;
    let csv = "date,model,input_tokens,output_tokens,cost_usd\n\
        2026-11-20,gpt-5-mini-2025-08-07,1000,50,0.00001\n\
        2026-11-21,gpt-5,2000,110,0.00175\n\
        2026-11-21,o3,7,1,0.0002\n";
    let providers: Providers = [("openai".to_owned(), "openai".to_owned())]
        .into_iter()
        .collect();
    let found = reconcile(sample.ledger.reader(), csv.as_bytes(), None, &providers).await;
    insta::assert_snapshot!(text(&found.unwrap()), @r"
    DAY         MODEL                  CALLS    IN  +/-  OUT  +/-         COST           +/-
    2026-11-20  gpt-5-mini-2025-08-07      1  1000    0   50    0  0.000010000   0.000000000  1 estimated
    2026-11-21  gpt-5                      2  2000    0  100  -10  0.001750001  +0.000000001  1 estimated
    2026-11-21  o3                         0     0   -7    0   -1  0.000000000  -0.000200000  only in the export
    total                                  3  3000   -7  150  -11  0.001760001  -0.000199999  2 estimated

    the ledger of openai, 2026-11-20 to 2026-11-21; +/- is the ledger less the export
    drift: in -0.23%, out -6.83%, cost -10.20%
    ");
}
