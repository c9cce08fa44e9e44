use std::{
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
};

use futures_util::FutureExt;

use super::*;

/// Loads names. Work waits until it is told to go on, so that a test sees what happens meanwhile.
#[derive(Default)]
struct Fake {
    /// Bytes of each model.
    sizes: Vec<u64>,
    /// Work that waits, if any is to wait.
    held: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    holds: AtomicBool,
    /// Whether files are broken.
    broken: AtomicBool,
    /// What happened, in order.
    events: Mutex<Vec<String>>,
}

impl Fake {
    fn pool(sizes: &[u64], bounds: Bounds) -> (Arc<Self>, Arc<Pool<String>>) {
        let fake = Arc::new(Self {
            sizes: sizes.to_vec(),
            ..Self::default()
        });
        let pool = Pool::new(sizes.len(), bounds, fake.clone());
        (fake, pool)
    }

    fn go_on(&self) {
        let held = std::mem::take(&mut *self.held.lock());
        for work in held {
            work();
        }
    }

    /// What happened since this was asked last.
    fn events(&self) -> String {
        std::mem::take(&mut *self.events.lock()).join(" ")
    }

    fn note(&self, what: &str, place: usize) {
        self.events.lock().push(format!("{what}{place}"));
    }
}

impl Loader<String> for Fake {
    fn need(&self, place: usize) -> Result<u64, String> {
        Ok(self.sizes[place])
    }

    fn load(&self, place: usize) -> Result<String, String> {
        self.note("+", place);
        if self.broken.load(Ordering::Relaxed) {
            return Err("broken".to_owned());
        }
        Ok(format!("model {place}"))
    }

    fn retire(&self, place: usize, _: &String) {
        self.note("-", place);
    }

    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        if self.holds.load(Ordering::Relaxed) {
            self.held.lock().push(work);
        } else {
            work();
        }
    }
}

fn memory(limit: u64) -> Bounds {
    Bounds {
        memory: Some(limit),
        idle: None,
    }
}

async fn tick() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_model_is_loaded_by_the_first_call_and_once_for_all() {
    let (fake, pool) = Fake::pool(&[1, 1], Bounds::default());
    fake.holds.store(true, Ordering::Relaxed);
    let mut first = pin!(pool.acquire(1));
    let mut second = pin!(pool.acquire(1));
    assert!(first.as_mut().now_or_never().is_none());
    assert!(second.as_mut().now_or_never().is_none());
    assert!(pool.is_starting(1) && !pool.is_starting(0));
    fake.go_on();
    assert_eq!(**first.await.as_ref().unwrap(), "model 1");
    assert_eq!(**second.await.as_ref().unwrap(), "model 1");
    assert_eq!(fake.events(), "+1");
}

#[tokio::test(start_paused = true)]
async fn loading_goes_on_when_the_call_that_wanted_it_is_given_up() {
    let (fake, pool) = Fake::pool(&[1], Bounds::default());
    fake.holds.store(true, Ordering::Relaxed);
    assert!(pool.acquire(0).now_or_never().is_none());
    fake.go_on();
    assert!(pool.acquire(0).await.is_ok());
    assert_eq!(fake.events(), "+0");
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_when_loading_comes_to_nothing() {
    let (fake, pool) = Fake::pool(&[1], Bounds::default());
    fake.holds.store(true, Ordering::Relaxed);
    let mut waiting = pin!(pool.acquire(0));
    assert!(waiting.as_mut().now_or_never().is_none());
    fake.held.lock().clear();
    assert!(matches!(waiting.await, Err(Missing::Failed(_))));
    assert!(!pool.is_starting(0));
}

#[tokio::test(start_paused = true)]
async fn the_longest_unused_makes_room_and_a_busy_one_never_does() {
    let (fake, pool) = Fake::pool(&[4, 4, 4, 9], memory(9));
    drop(pool.acquire(0).await);
    tick().await;
    drop(pool.acquire(1).await);
    tick().await;
    // Used again, so that 1 is the longest unused.
    drop(pool.acquire(0).await);
    assert_eq!(fake.events(), "+0 +1");
    let busy = pool.acquire(2).await.unwrap();
    assert_eq!(fake.events(), "-1 +2");
    let full = Missing::NoRoom { need: 9, limit: 9 };
    assert_eq!(pool.acquire(3).await.unwrap_err(), full);
    assert_eq!(fake.events(), "", "nobody goes in vain");
    // The idle one alone is enough.
    let other = pool.acquire(1).await.unwrap();
    assert_eq!(fake.events(), "-0 +1");
    drop(busy);
    tick().await;
    drop(other);
    assert!(pool.acquire(3).await.is_ok(), "as soon as there is room");
    assert_eq!(fake.events(), "-2 -1 +3");
}

#[tokio::test(start_paused = true)]
async fn what_is_being_loaded_counts() {
    let (fake, pool) = Fake::pool(&[5, 5], memory(9));
    fake.holds.store(true, Ordering::Relaxed);
    let mut first = pin!(pool.acquire(0));
    let mut second = pin!(pool.acquire(1));
    assert!(first.as_mut().now_or_never().is_none());
    assert!(second.as_mut().now_or_never().is_none());
    fake.go_on();
    // The first is loaded, and not yet in its call's hands when the second looks for room.
    let full = Missing::NoRoom { need: 5, limit: 9 };
    assert_eq!(second.await.unwrap_err(), full);
    drop(first.await.unwrap());
    fake.holds.store(false, Ordering::Relaxed);
    assert!(pool.acquire(1).await.is_ok());
    assert_eq!(fake.events(), "+0 -0 +1");
}

#[tokio::test(start_paused = true)]
async fn nobody_goes_for_what_is_loaded_at_the_start() {
    let (fake, pool) = Fake::pool(&[5, 5], memory(9));
    pool.start(vec![0, 1]);
    assert_eq!(fake.events(), "+0");
    assert!(!pool.is_starting(1));
    assert!(pool.acquire(1).await.is_ok(), "a call has more say");
    assert_eq!(fake.events(), "-0 +1");
}

#[tokio::test(start_paused = true)]
async fn an_unused_model_goes_after_its_time() {
    let bounds = Bounds {
        memory: None,
        idle: Some(Duration::from_mins(5)),
    };
    let (fake, pool) = Fake::pool(&[1, 1], bounds);
    let drain = Drain::default();
    pool.watch_idle(&drain);
    pool.start(vec![0]);
    let busy = pool.acquire(1).await.unwrap();
    tokio::time::sleep(Duration::from_secs(299)).await;
    assert_eq!(fake.events(), "+0 +1");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(fake.events(), "-0");
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(fake.events(), "", "the busy one stays");
    drop(busy);
    tokio::time::sleep(Duration::from_mins(11)).await;
    assert_eq!(fake.events(), "-1");
    assert!(pool.acquire(0).await.is_ok());
    assert_eq!(fake.events(), "+0");
    drain.start();
    assert!(drain.finished(RETRY, RETRY).await);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_at_once_until_it_is_time_to_try_again() {
    let (fake, pool) = Fake::pool(&[1], Bounds::default());
    fake.broken.store(true, Ordering::Relaxed);
    let broken = Missing::Failed("broken".to_owned());
    assert_eq!(pool.acquire(0).await.unwrap_err(), broken);
    fake.broken.store(false, Ordering::Relaxed);
    tokio::time::sleep(RETRY.saturating_sub(Duration::from_millis(10))).await;
    assert_eq!(pool.acquire(0).await.unwrap_err(), broken);
    assert!(pool.has_failed(0));
    assert_eq!(fake.events(), "+0");
    tick().await;
    assert!(pool.acquire(0).await.is_ok());
    assert_eq!(fake.events(), "+0");
    pool.stop();
    assert_eq!(fake.events(), "-0");
}
