//! Any order of events gives the sums that a list of what happened gives.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use skinflint_ledger::{Reservation, Settlement, TaskFilter};
use uuid::Uuid;

use crate::checks::{HOUR, NOW, Running, receipt, reservation, settlement, start_node};
use crate::file;

#[derive(Debug, Clone)]
enum Event {
    Reserve {
        tenant: u8,
        task: u8,
        notional: bool,
    },
    /// Of all attempts so far, one by its place, open or not.
    Settle {
        place: usize,
        cost: u64,
        hours: i64,
    },
    Raise {
        place: usize,
        upper: u64,
    },
    Record {
        place: usize,
    },
    Flush,
    Crash,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..2_u8, 0..3_u8, any::<bool>())
            .prop_map(|(tenant, task, notional)| Event::Reserve { tenant, task, notional }),
        5 => (0..64_usize, 0..900_u64, 0..3_i64)
            .prop_map(|(place, cost, hours)| Event::Settle { place, cost, hours }),
        1 => (0..64_usize, 0..5_000_u64).prop_map(|(place, upper)| Event::Raise { place, upper }),
        2 => (0..64_usize).prop_map(|place| Event::Record { place }),
        1 => Just(Event::Flush),
        1 => Just(Event::Crash),
    ]
}

/// What happened, plainly.
#[derive(Default)]
struct Model {
    attempts: Vec<Reservation>,
    settled: BTreeMap<Uuid, Settlement>,
    recorded: BTreeSet<Uuid>,
}

impl Model {
    async fn apply(
        &mut self,
        event: Event,
        running: Running,
        store: &skinflint_ledger::Store,
    ) -> Running {
        let ledger = &running.ledger;
        let at = |place: usize| place.checked_rem(self.attempts.len());
        match event {
            Event::Reserve {
                tenant,
                task,
                notional,
            } => {
                let mut reserved = reservation(&format!("tenant{tenant}"), &format!("task{task}"));
                reserved.notional = notional;
                ledger.reserve(reserved.clone()).await.unwrap();
                self.attempts.push(reserved);
            }
            Event::Settle { place, cost, hours } => {
                if let Some(place) = at(place) {
                    let id = self.attempts[place].attempt;
                    let mut settled = settlement(id, cost);
                    settled.at_ms += hours * HOUR;
                    ledger.settle(settled.clone());
                    self.settled.entry(id).or_insert(settled);
                }
            }
            Event::Raise { place, upper } => {
                if let Some(place) = at(place) {
                    let reserved = &mut self.attempts[place];
                    let upper = skinflint_money::NanoUsd::new(upper);
                    let raised = ledger.extend(reserved.attempt, upper).await;
                    assert_eq!(
                        raised.is_ok(),
                        !self.settled.contains_key(&reserved.attempt)
                    );
                    if raised.is_ok() {
                        reserved.upper = reserved.upper.max(upper);
                    }
                }
            }
            Event::Record { place } => {
                if let Some(place) = at(place) {
                    ledger.record(receipt(&self.attempts[place]));
                    self.recorded.insert(self.attempts[place].request);
                }
            }
            Event::Flush => ledger.flush().await.unwrap(),
            Event::Crash => {
                ledger.flush().await.unwrap();
                running.crash().await;
                let running = start_node(store, "one", NOW).await;
                for recovered in &running.recovered {
                    let reserved = &recovered.reservation;
                    let mut lost = settlement(reserved.attempt, reserved.upper.get());
                    lost.at_ms = NOW;
                    let before = self.settled.insert(reserved.attempt, lost);
                    assert_eq!(before, None, "only what was open is recovered");
                }
                assert_eq!(self.settled.len(), self.attempts.len());
                return running;
            }
        }
        running
    }

    fn cost(&self, wanted: impl Fn(&Reservation, &Settlement) -> bool) -> u64 {
        self.attempts
            .iter()
            .filter_map(|reserved| {
                let settled = self.settled.get(&reserved.attempt)?;
                wanted(reserved, settled).then(|| settled.money.cost.get())
            })
            .sum()
    }

    async fn compare(&self, running: &Running) {
        let reader = running.ledger.reader();
        for tenant in ["tenant0", "tenant1"] {
            for scope in ["tenant", "key:k1", "model:sold", "task:task0", "task:task1"] {
                for since in [None, Some(NOW + HOUR)] {
                    let spent = reader.spent(tenant, scope, since).await.unwrap();
                    let counts = |reserved: &Reservation, settled: &Settlement| {
                        reserved.tenant == tenant
                            && reserved.scopes.iter().any(|name| name == scope)
                            && since.is_none_or(|since| settled.at_ms >= since)
                    };
                    let billed = self.cost(|one, at| !one.notional && counts(one, at));
                    let notional = self.cost(|one, at| one.notional && counts(one, at));
                    assert_eq!(
                        (spent.billed.get(), spent.notional.get()),
                        (billed, notional)
                    );
                }
            }
            let open: u64 = self
                .attempts
                .iter()
                .filter(|one| one.tenant == tenant && !self.settled.contains_key(&one.attempt))
                .map(|one| one.upper.get())
                .sum();
            let held = reader.open_reservations(tenant).await.unwrap();
            let held: u64 = held.iter().map(|one| one.reservation.upper.get()).sum();
            assert_eq!(held, open);
        }
        let filter = TaskFilter {
            top: 100,
            ..TaskFilter::default()
        };
        for task in reader.tasks(&filter).await.unwrap() {
            let of = |one: &Reservation| one.tenant == task.tenant && one.task == task.task;
            assert_eq!(
                task.sums.cost.get(),
                self.cost(|one, _| !one.notional && of(one))
            );
            let calls = self
                .attempts
                .iter()
                .filter(|one| of(one) && self.settled.contains_key(&one.attempt));
            assert_eq!(task.sums.calls, calls.count() as u64);
            let requests = self
                .attempts
                .iter()
                .filter(|one| of(one) && self.recorded.contains(&one.request));
            assert_eq!(task.requests, requests.count() as u64);
        }
        for reserved in &self.attempts {
            let explained = reader.explain(reserved.request).await.unwrap();
            let rows = explained.map_or(0, |explained| explained.attempts.len());
            assert_eq!(rows == 1, self.settled.contains_key(&reserved.attempt));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sums_are_those_of_the_attempts(events in prop::collection::vec(event(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_directory, store) = file();
            let mut running = start_node(&store, "one", NOW).await;
            let mut model = Model::default();
            for event in events {
                running = model.apply(event, running, &store).await;
            }
            running.ledger.flush().await.unwrap();
            assert_eq!(running.ledger.backlog(), 0);
            model.compare(&running).await;
            running.stop().await;
        });
    }
}
