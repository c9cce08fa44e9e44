//! The ledger held against the provider's bill.

use std::collections::{HashMap, HashSet};

use super::{CrashTotals, calls};
use crate::{
    BillLine,
    soak::books::{Attempt, Books, OpenCall},
};

/// Nothing was billed for it.
const DECLINED: &str = "declined";
/// Settled at the upper bound, because its gateway had ended.
const CRASH: &str = "crash";
/// Settled at the upper bound, because nobody knew better.
const UPPER_BOUND: &str = "upper_bound";

/// Adds to the totals what the books of a folder, at their end, have to say about its bill.
pub(super) async fn audit(
    books: &mut Books,
    bill: &[BillLine],
    open_at_kills: &[OpenCall],
    totals: &mut CrashTotals,
) -> sqlx::Result<()> {
    let attempts = books.attempts().await?;
    totals.left_open += books.open_calls().await?.len();
    let sums = books.sums().await?;
    if sums.agreed().is_none() {
        totals.faults.push(format!("the sums differ: {sums:?}"));
    }
    totals.billed += bill.len();
    totals.attempts += attempts.len();
    totals.bill_nano += bill.iter().map(calls::price).sum::<i128>();
    totals.ledger_nano += attempts
        .iter()
        .map(|row| i128::from(row.cost))
        .sum::<i128>();
    let open: HashMap<&str, i64> = open_at_kills
        .iter()
        .map(|call| (&*call.id, call.upper))
        .collect();
    totals.open_nano += open.values().map(|upper| i128::from(*upper)).sum::<i128>();
    compare_calls(&attempts, bill, &open, totals);
    compare_open(&attempts, &open, totals);
    Ok(())
}

/// Call by call: each line of the bill has its row, no row is there twice, and none is cheaper than its line.
fn compare_calls(
    attempts: &[Attempt],
    bill: &[BillLine],
    open: &HashMap<&str, i64>,
    totals: &mut CrashTotals,
) {
    let mut billed: HashMap<&str, Vec<i128>> = HashMap::new();
    for line in bill {
        billed
            .entry(&line.call)
            .or_default()
            .push(calls::price(line));
    }
    let mut rows: HashMap<&str, Vec<&Attempt>> = HashMap::new();
    for row in attempts.iter().filter(|row| row.source != DECLINED) {
        rows.entry(&row.task).or_default().push(row);
    }
    let mut seen = HashSet::new();
    for row in attempts {
        if !seen.insert((&row.request, row.number)) {
            totals
                .duplicates
                .push(format!("an attempt is there twice: {row:?}"));
        }
    }
    for (call, lines) in &billed {
        let rows = rows.get(call).map_or(&[][..], Vec::as_slice);
        if rows.len() < lines.len() {
            totals
                .lost
                .push(format!("{call}: billed {lines:?}, in the ledger {rows:?}"));
        }
        let cost: i128 = rows.iter().map(|row| i128::from(row.cost)).sum();
        if rows.len() >= lines.len() && cost < lines.iter().sum() {
            totals.lost.push(format!(
                "{call}: billed more than is in the ledger: {lines:?}, {rows:?}"
            ));
        }
    }
    for (call, rows) in rows {
        let lines = billed.get(call).map_or(&[][..], Vec::as_slice);
        // An attempt that was open at a kill may have been sent or not.
        let known = || rows.iter().filter(|row| !open.contains_key(&*row.id));
        if known().count() > lines.len() {
            totals
                .duplicates
                .push(format!("{call}: billed {lines:?}, in the ledger {rows:?}"));
        }
        // A row that a crash has settled is told of where it is held against what was open.
        for row in known().filter(|row| row.source != UPPER_BOUND && row.source != CRASH) {
            if !lines.contains(&i128::from(row.cost)) {
                totals
                    .faults
                    .push(format!("{call}: not what was billed ({lines:?}): {row:?}"));
            }
        }
    }
}

/// What was open at a kill was settled once, at its upper bound and marked so; and nothing else was.
fn compare_open(attempts: &[Attempt], open: &HashMap<&str, i64>, totals: &mut CrashTotals) {
    let mut left = open.clone();
    for row in attempts {
        match left.remove(&*row.id) {
            Some(upper) if row.source == CRASH && row.cost == upper => {}
            Some(upper) => totals
                .faults
                .push(format!("open at a kill for {upper}, and then {row:?}")),
            None if row.source == CRASH => totals
                .faults
                .push(format!("was not open at a kill: {row:?}")),
            None if row.source == UPPER_BOUND => totals.unexplained.push(format!("{row:?}")),
            None => {}
        }
    }
    for (id, upper) in left {
        totals.lost.push(format!(
            "open at a kill for {upper}, and not in the ledger: {id}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(task: &str, id: &str, source: &str, cost: i64) -> Attempt {
        Attempt {
            task: task.into(),
            id: id.into(),
            request: format!("request of {id}"),
            number: 1,
            source: source.into(),
            cost,
        }
    }

    /// Ten tokens of input: 10,000 nano-dollars.
    fn line(call: &str) -> BillLine {
        BillLine {
            call: call.into(),
            input: 10,
            ..BillLine::default()
        }
    }

    /// How much is lost, there twice, unexplained and otherwise wrong.
    fn wrong(attempts: &[Attempt], bill: &[BillLine], open: &[(&str, i64)]) -> [usize; 4] {
        let open = open.iter().copied().collect();
        let mut totals = CrashTotals::default();
        compare_calls(attempts, bill, &open, &mut totals);
        compare_open(attempts, &open, &mut totals);
        let CrashTotals {
            lost,
            duplicates,
            unexplained,
            faults,
            ..
        } = totals;
        [lost, duplicates, unexplained, faults].map(|wrong| wrong.len())
    }

    #[test]
    fn right_books_are_found_right() {
        let attempts = [
            row("answered", "a", "provider", 10_000),
            row("tried again", "b", "declined", 0),
            row("tried again", "c", "provider", 10_000),
            row("killed", "d", "crash", 50_000),
            row("killed before it was sent", "e", "crash", 50_000),
        ];
        let bill = ["answered", "tried again", "killed"].map(line);
        assert_eq!(
            wrong(&attempts, &bill, &[("d", 50_000), ("e", 50_000)]),
            [0; 4]
        );
    }

    #[test]
    fn each_kind_of_wrong_is_found() {
        let right = row("a", "a", "provider", 10_000);
        let bill = [line("a")];
        assert_eq!(wrong(&[], &bill, &[]), [1, 0, 0, 0], "lost");
        let cheap = row("a", "a", "crash", 9_999);
        assert_eq!(
            wrong(&[cheap], &bill, &[("a", 9_999)]),
            [1, 0, 0, 0],
            "too cheap"
        );
        let again = row("a", "b", "provider", 10_000);
        assert_eq!(
            wrong(&[right.clone(), again], &bill, &[]),
            [0, 1, 0, 0],
            "two attempts for one line"
        );
        assert_eq!(
            wrong(&[right.clone(), right.clone()], &bill, &[]),
            [0, 2, 0, 0],
            "one attempt twice"
        );
        let other = row("a", "a", "provider", 10_001);
        assert_eq!(
            wrong(&[other], &bill, &[]),
            [0, 0, 0, 1],
            "not what was billed"
        );
        assert_eq!(
            wrong(std::slice::from_ref(&right), &bill, &[("b", 5)]),
            [1, 0, 0, 0],
            "open and forgotten"
        );
        let unopened = row("b", "b", "crash", 5);
        assert_eq!(
            wrong(&[right.clone(), unopened], &bill, &[]),
            [0, 1, 0, 1],
            "settled by a crash that was none"
        );
        let settled = row("b", "b", "crash", 5);
        assert_eq!(
            wrong(&[right.clone(), settled], &bill, &[("b", 6)]),
            [0, 0, 0, 1],
            "not at its bound"
        );
        let unknown = row("a", "a", "upper_bound", 50_000);
        assert_eq!(
            wrong(&[unknown], &bill, &[]),
            [0, 0, 1, 0],
            "nobody knows why"
        );
    }
}
