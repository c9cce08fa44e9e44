//! Whose turn it is: a queue that gives every tenant the same share of the engine's work.
//!
//! Each tenant has a counter of the tokens that it has been given, and the one with the lowest is
//! next (Sheng et al., 2024, "Fairness in Serving Large Language Models", the virtual token
//! counter). A call is charged what it sets aside, its prompt and all that it may generate. Nothing
//! is credited afterwards: a tenant that came in between would wait until the credit is used up. Who
//! comes back after a pause starts where the others are: time without calls earns nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Whose call it is; calls without a tenant are those of one more.
pub(super) type Tenant = Option<Arc<str>>;

/// Items that wait, first come first served within a tenant.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    accounts: HashMap<Tenant, Account<T>>,
    /// The counter of the tenant that was last served, before it was charged.
    level: u64,
    /// Items of all tenants.
    len: usize,
}

#[derive(Debug)]
struct Account<T> {
    /// Tokens.
    given: u64,
    waiting: VecDeque<Item<T>>,
}

#[derive(Debug)]
struct Item<T> {
    /// Counts up with time.
    id: u64,
    /// Tokens.
    cost: u64,
    value: T,
}

// === impl FairQueue ===

impl<T> FairQueue<T> {
    pub(super) fn new() -> Self {
        Self {
            accounts: HashMap::new(),
            level: 0,
            len: 0,
        }
    }

    /// Items that wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an item that will use at most `cost` tokens. Ids count up.
    pub(super) fn push(&mut self, tenant: Tenant, id: u64, cost: u64, value: T) {
        let account = self.accounts.entry(tenant).or_insert_with(|| Account {
            given: 0,
            waiting: VecDeque::new(),
        });
        if account.waiting.is_empty() {
            account.given = account.given.max(self.level);
        }
        account.waiting.push_back(Item { id, cost, value });
        self.len += 1;
    }

    /// The item whose turn it is.
    pub(super) fn peek(&self) -> Option<&T> {
        let (_, account) = self.next()?;
        account.waiting.front().map(|item| &item.value)
    }

    /// Lets the item in whose turn it is, and charges its tenant.
    pub(super) fn pop(&mut self) -> Option<(u64, T)> {
        let tenant = self.next()?.0.clone();
        let account = self.accounts.get_mut(&tenant)?;
        let item = account.waiting.pop_front()?;
        self.level = account.given;
        account.given = account.given.saturating_add(item.cost);
        self.len -= 1;
        self.forget_idle();
        Some((item.id, item.value))
    }

    /// Takes one item out.
    pub(super) fn remove(&mut self, id: u64) -> Option<T> {
        let item = self.accounts.values_mut().find_map(|account| {
            let at = account.waiting.binary_search_by_key(&id, |item| item.id);
            account.waiting.remove(at.ok()?)
        })?;
        self.len -= 1;
        self.forget_idle();
        Some(item.value)
    }

    /// Takes all items out that `leaves` is true of.
    pub(super) fn extract(&mut self, leaves: impl Fn(&T) -> bool) -> Vec<T> {
        let mut left = Vec::new();
        for account in self.accounts.values_mut() {
            if account.waiting.iter().any(|item| leaves(&item.value)) {
                let (gone, stay): (VecDeque<_>, VecDeque<_>) = account
                    .waiting
                    .drain(..)
                    .partition(|item| leaves(&item.value));
                account.waiting = stay;
                left.extend(gone.into_iter().map(|item| item.value));
            }
        }
        self.len -= left.len();
        if !left.is_empty() {
            self.forget_idle();
        }
        left
    }

    fn next(&self) -> Option<(&Tenant, &Account<T>)> {
        self.accounts
            .iter()
            .filter_map(|(tenant, account)| Some((tenant, account, account.waiting.front()?.id)))
            .min_by_key(|&(_, account, id)| (account.given, id))
            .map(|(tenant, account, _)| (tenant, account))
    }

    /// Drops the counters that would change nothing if their tenant came back.
    fn forget_idle(&mut self) {
        if self.len == 0 {
            self.accounts.clear();
            self.level = 0;
        }
        let level = self.level;
        self.accounts
            .retain(|_, account| !account.waiting.is_empty() || account.given > level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets `count` items in and tells whose they were.
    fn served(queue: &mut FairQueue<&'static str>, count: usize) -> Vec<&'static str> {
        (0..count).map(|_| queue.pop().unwrap().1).collect()
    }

    fn push(queue: &mut FairQueue<&'static str>, name: &'static str, id: u64, cost: u64) {
        queue.push(Some(name.into()), id, cost, name);
    }

    #[test]
    fn first_come_first_served_within_a_tenant() {
        let mut queue = FairQueue::new();
        for id in 0..4 {
            push(&mut queue, "a", id, 10 - id);
        }
        let ids: Vec<u64> = (0..4).map(|_| queue.pop().unwrap().0).collect();
        assert_eq!(ids, [0, 1, 2, 3]);
        assert_eq!((queue.len(), queue.pop()), (0, None));
    }

    #[test]
    fn many_calls_of_one_tenant_do_not_hold_up_another() {
        let mut queue = FairQueue::new();
        for id in 0..1000 {
            push(&mut queue, "a", id, 10);
        }
        assert_eq!(served(&mut queue, 3), ["a", "a", "a"]);
        push(&mut queue, "b", 1000, 500);
        let next = served(&mut queue, 2);
        assert!(next.contains(&"b"), "{next:?}");
    }

    #[test]
    fn shares_are_counted_in_tokens() {
        let mut queue = FairQueue::new();
        for id in 0..40 {
            push(&mut queue, "long", 2 * id, 90);
            push(&mut queue, "short", 2 * id + 1, 30);
        }
        let order = served(&mut queue, 40);
        let long = order.iter().filter(|&&name| name == "long").count();
        assert_eq!(long, 10);
    }

    #[test]
    fn a_pause_earns_nothing() {
        let mut queue = FairQueue::new();
        push(&mut queue, "b", 0, 10);
        for id in 1..200 {
            push(&mut queue, "a", id, 10);
        }
        served(&mut queue, 100);
        for id in 200..300 {
            push(&mut queue, "b", id, 10);
        }
        let order = served(&mut queue, 20);
        let of_b = order.iter().filter(|&&name| name == "b").count();
        assert!((9..=11).contains(&of_b), "{of_b} of 20");
    }

    #[test]
    fn one_call_at_a_time_is_charged_like_many() {
        let mut queue = FairQueue::new();
        for id in 0..100 {
            push(&mut queue, "many", id, 10);
        }
        let mut order = Vec::new();
        for id in 100..180 {
            if order.last() != Some(&"many") {
                push(&mut queue, "one", id, 70);
            }
            let (_, name) = queue.pop().unwrap();
            order.push(name);
        }
        let one = order.iter().filter(|&&name| name == "one").count();
        assert!((9..=11).contains(&one), "{one} of 80");
    }

    #[test]
    fn items_can_be_taken_out_and_counters_go_with_them() {
        let mut queue = FairQueue::new();
        for (id, name) in (0..).zip(["a", "b", "b", "c", "b"]) {
            push(&mut queue, name, id, 10);
        }
        assert_eq!(served(&mut queue, 2), ["a", "b"]);
        assert_eq!((queue.remove(2), queue.remove(2)), (Some("b"), None));
        assert_eq!(queue.extract(|&name| name == "c"), ["c"]);
        assert_eq!((queue.len(), queue.peek()), (1, Some(&"b")));
        assert_eq!(queue.pop(), Some((4, "b")));
        assert!(queue.is_empty() && queue.accounts.is_empty());
        assert_eq!(queue.level, 0);
    }

    #[test]
    fn tenants_that_left_are_forgotten() {
        let mut queue = FairQueue::new();
        for id in 0..1000 {
            push(&mut queue, "stays", 2 * id, 10);
            queue.push(Some(id.to_string().into()), 2 * id + 1, 10, "leaves");
            served(&mut queue, 1);
        }
        served(&mut queue, 900);
        assert!(queue.accounts.len() < 600, "{}", queue.accounts.len());
    }
}
