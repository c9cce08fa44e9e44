//! Models that are loaded when they are needed and unloaded when they are not. See [`Pool`].

mod lease;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

pub(crate) use self::lease::Lease;
use self::lease::Wanting;
use crate::drain::Drain;

/// What knows how models are loaded; they are told apart by their place in the pool.
pub(crate) trait Loader<M>: Send + Sync {
    /// Bytes that a model is going to take once it is loaded, about.
    fn need(&self, place: usize) -> Result<u64, String>;

    /// Reads a model and warms it up. Blocks.
    fn load(&self, place: usize) -> Result<M, String>;

    /// Takes leave of a model that is unloaded, or that the gateway stops.
    fn retire(&self, place: usize, model: &M);

    /// Runs what loads a model, off the runtime. Where that cannot be, the work is dropped.
    fn run(&self, work: Box<dyn FnOnce() + Send>);
}

/// Why a model is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It cannot be loaded.
    Failed(String),
    /// It would take more than is left, and the others are in use.
    NoRoom {
        /// Bytes that it takes.
        need: u64,
        /// Bytes that all may take.
        limit: u64,
    },
}

/// When models are unloaded.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    /// Bytes that all loaded models may take.
    pub memory: Option<u64>,
    /// How long a model stays that nobody uses.
    pub idle: Option<Duration>,
}

/// Some models, of which those are loaded that are used.
pub(crate) struct Pool<M> {
    loader: Arc<dyn Loader<M>>,
    bounds: Bounds,
    slots: Mutex<Vec<Slot<M>>>,
    /// Told whenever loading a model has ended.
    changed: watch::Sender<()>,
}

struct Slot<M> {
    state: State<M>,
    /// What it takes; counts while it is loaded or being loaded.
    bytes: u64,
    /// Calls that have it, or wait for it.
    uses: usize,
    /// When the last of them let it go, or it was loaded.
    used: Instant,
    /// Whether loading it has ended once, well or not.
    has_settled: bool,
}

enum State<M> {
    Cold,
    Loading,
    Ready(M),
    Failed { why: Missing, again: Instant },
}

/// Models that are still to be loaded: whoever waits for them is told if that comes to nothing.
struct Left<M: Clone + Send + Sync + 'static> {
    pool: Arc<Pool<M>>,
    places: VecDeque<usize>,
}

/// Who has a model loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// A call, for which others may have to go.
    Call,
    /// The start of the gateway, for which nobody goes.
    Start,
}

/// Files do not come back within a moment, and each try reads some of them.
pub(crate) const RETRY: Duration = Duration::from_secs(10);

// === impl Pool ===

impl<M: Clone + Send + Sync + 'static> Pool<M> {
    /// A pool of so many models, none of them loaded.
    pub(crate) fn new(models: usize, bounds: Bounds, loader: Arc<dyn Loader<M>>) -> Arc<Self> {
        let slot = || Slot {
            state: State::Cold,
            bytes: 0,
            uses: 0,
            used: Instant::now(),
            has_settled: false,
        };
        Arc::new(Self {
            loader,
            bounds,
            slots: Mutex::new(std::iter::repeat_with(slot).take(models).collect()),
            changed: watch::Sender::new(()),
        })
    }

    /// Begins to load these, one after the other, as far as there is room.
    pub(crate) fn start(self: &Arc<Self>, places: Vec<usize>) {
        for &place in &places {
            self.slots.lock()[place].state = State::Loading;
        }
        self.begin(places, For::Start);
    }

    /// Has models unloaded that nobody used for as long as the bounds say, until the gateway stops.
    pub(crate) fn watch_idle(self: &Arc<Self>, drain: &Drain) {
        let Some(idle) = self.bounds.idle else {
            return;
        };
        let (pool, stopping) = (self.clone(), drain.clone());
        drain.spawn(async move {
            let mut changed = pool.changed.subscribe();
            loop {
                changed.borrow_and_update();
                let next = pool.unload_idle(idle);
                let due = async {
                    match next {
                        Some(next) => tokio::time::sleep_until(next).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = stopping.draining() => return,
                    () = due => {}
                    _ = changed.changed() => {}
                }
            }
        });
    }

    /// The model, loaded if need be. Giving up does not stop the loading, since others may wait for it too.
    pub(crate) async fn acquire(self: &Arc<Self>, place: usize) -> Result<Lease<M>, Missing> {
        let mut changed = self.changed.subscribe();
        let mut has_waited = false;
        let _wanting = Wanting::new(self, place);
        loop {
            changed.borrow_and_update();
            let mut is_cold = false;
            {
                let mut slots = self.slots.lock();
                let slot = &mut slots[place];
                match &slot.state {
                    State::Ready(model) => {
                        slot.uses += 1;
                        return Ok(Lease::new(model.clone(), place, self));
                    }
                    State::Loading => {}
                    State::Failed { why, again } if has_waited || Instant::now() < *again => {
                        return Err(why.clone());
                    }
                    State::Failed { .. } | State::Cold => {
                        slot.state = State::Loading;
                        is_cold = true;
                    }
                }
            }
            if is_cold {
                self.begin(vec![place], For::Call);
            }
            has_waited = true;
            // The sender lives as long as the pool.
            let _told = changed.changed().await;
        }
    }

    /// Whether a model is being loaded for the first time.
    pub(crate) fn is_starting(&self, place: usize) -> bool {
        let slot = &self.slots.lock()[place];
        matches!(slot.state, State::Loading) && !slot.has_settled
    }

    /// Whether a model could not be loaded when it was last tried.
    pub(crate) fn has_failed(&self, place: usize) -> bool {
        matches!(self.slots.lock()[place].state, State::Failed { .. })
    }

    /// Looks at a model, if it is loaded. It is not unloaded meanwhile, so this should not take long.
    pub(crate) fn look<T>(&self, place: usize, at: impl FnOnce(Option<&M>) -> T) -> T {
        match &self.slots.lock()[place].state {
            State::Ready(model) => at(Some(model)),
            _ => at(None),
        }
    }

    /// Takes leave of all that is loaded. What is being loaded comes too late.
    pub(crate) fn stop(&self) {
        for (place, slot) in self.slots.lock().iter().enumerate() {
            if let State::Ready(model) = &slot.state {
                self.loader.retire(place, model);
            }
        }
    }

    /// Loads models that are marked as loading.
    fn begin(self: &Arc<Self>, places: Vec<usize>, whom: For) {
        let pool = self.clone();
        let mut left = Left {
            pool: self.clone(),
            places: places.into(),
        };
        self.loader.run(Box::new(move || {
            while let Some(&place) = left.places.front() {
                let loaded = pool.load(place, whom);
                left.places.pop_front();
                pool.finish(place, loaded, whom);
            }
        }));
    }

    fn load(&self, place: usize, whom: For) -> Result<M, Missing> {
        let need = self.loader.need(place).map_err(Missing::Failed)?;
        // What goes is dropped before anything is read into its place.
        drop(self.make_room(place, need, whom)?);
        self.loader.load(place).map_err(Missing::Failed)
    }

    fn finish(&self, place: usize, loaded: Result<M, Missing>, whom: For) {
        let now = Instant::now();
        let mut slots = self.slots.lock();
        let slot = &mut slots[place];
        slot.used = now;
        slot.has_settled = true;
        slot.state = match loaded {
            Ok(model) => State::Ready(model),
            // A call that waits for it may have others go.
            Err(Missing::NoRoom { need, limit }) if whom == For::Start => {
                tracing::info!(place, need, limit, "no room for a local model at the start");
                State::Cold
            }
            Err(why) => {
                slot.bytes = 0;
                // There may be room as soon as a call ends.
                let again = match why {
                    Missing::Failed(_) => now + RETRY,
                    Missing::NoRoom { .. } => now,
                };
                State::Failed { why, again }
            }
        };
        drop(slots);
        self.changed.send_replace(());
    }

    /// Sets bytes aside for a model. Gives those that had to go for it: the ones that were not used for longest.
    fn make_room(&self, place: usize, need: u64, whom: For) -> Result<Vec<M>, Missing> {
        let mut slots = self.slots.lock();
        let mut gone = Vec::new();
        if let Some(limit) = self.bounds.memory {
            let taken: u64 = slots.iter().map(|slot| slot.bytes).sum();
            let mut excess = (taken + need).saturating_sub(limit);
            let mut idle: Vec<usize> = (0..slots.len())
                .filter(|&place| whom == For::Call && slots[place].is_idle())
                .collect();
            let spare: u64 = idle.iter().map(|&place| slots[place].bytes).sum();
            if excess > spare {
                return Err(Missing::NoRoom { need, limit });
            }
            idle.sort_by_key(|&place| slots[place].used);
            for place in idle {
                if excess == 0 {
                    break;
                }
                excess = excess.saturating_sub(slots[place].bytes);
                gone.extend(self.unload(place, &mut slots[place]));
            }
        }
        slots[place].bytes = need;
        Ok(gone)
    }

    fn unload(&self, place: usize, slot: &mut Slot<M>) -> Option<M> {
        slot.bytes = 0;
        match std::mem::replace(&mut slot.state, State::Cold) {
            State::Ready(model) => {
                self.loader.retire(place, &model);
                Some(model)
            }
            other => {
                slot.state = other;
                None
            }
        }
    }

    /// Unloads what nobody used for so long; when to look again, if anything is left.
    fn unload_idle(&self, idle: Duration) -> Option<Instant> {
        let now = Instant::now();
        let mut gone = Vec::new();
        let mut next: Option<Instant> = None;
        for (place, slot) in self.slots.lock().iter_mut().enumerate() {
            let due = match slot.state {
                State::Ready(_) if slot.uses > 0 => now + idle,
                State::Ready(_) => slot.used + idle,
                _ => continue,
            };
            if due <= now {
                gone.extend(self.unload(place, slot));
            } else {
                next = Some(next.map_or(due, |next| next.min(due)));
            }
        }
        next
    }
}

impl<M> Slot<M> {
    fn is_idle(&self) -> bool {
        self.uses == 0 && matches!(self.state, State::Ready(_))
    }
}

impl<M> std::fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

// === impl Left ===

impl<M: Clone + Send + Sync + 'static> Drop for Left<M> {
    fn drop(&mut self) {
        for place in std::mem::take(&mut self.places) {
            let why = Missing::Failed("loading it was given up".to_owned());
            self.pool.finish(place, Err(why), For::Call);
        }
    }
}

#[cfg(test)]
mod tests;
