use super::*;
use crate::sample::{NOW, Sample};

async fn reported(period: Period, by: By) -> String {
    let sample = Sample::new().await;
    let inquiry = ReportInquiry {
        period,
        by,
        since: None,
        until: None,
        tenant: None,
    };
    let rows = inquiry::report(sample.ledger.reader(), &inquiry, NOW + 3_600_000).await;
    text(&rows.unwrap(), by)
}

#[tokio::test]
async fn a_report_has_a_line_for_each_period_and_group() {
    insta::assert_snapshot!(reported(Period::Day, By::Tenant).await, @r"
    FROM        TENANT  CALLS    IN  CACHED  OUT         COST     SAVED  HARM  SUCCEEDED  COST EACH
    2026-11-20  globex      1  1000   30.0%   50  0.000010000  0.000001  0.00          0          -
    2026-11-21  acme        3  3000   30.0%  150  0.041750001  0.000003  0.00          0          -
    ");
    insta::assert_snapshot!(reported(Period::Month, By::Model).await, @r"
    FROM        MODEL  CALLS    IN  CACHED  OUT         COST     SAVED  HARM
    2026-11-01  gpt-5      4  4000   30.0%  200  0.041760001  0.000004  0.00
    ");
    assert_eq!(reported(Period::Week, By::Tag).await, "nothing was used");
}
