//! The threads that compute: [`Team`].

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::{hint, io};

use parking_lot::{FairMutex, FairMutexGuard, Mutex};

use crate::priority::{breathe, lower_priority};

/// How often a helper looks for work before it sleeps: about 50 µs, longer than what lies between
/// two products of one step, shorter than what a waiting machine would notice.
const SPINS: u32 = 1000;

/// How often the leader spins for the last helper before it lets others run: a helper that was
/// taken off its core does not come back sooner for being waited for.
const SPINS_BEFORE_YIELD: u32 = 2000;

/// The part of [`Shared::state`] that counts helpers at work.
const ACTIVE: u64 = 0xffff;
/// Set while helpers may join the current job.
const OPEN: u64 = 1 << 16;
/// What the number of the job is counted in.
const EPOCH: u64 = 1 << 17;

/// Threads that share the work of one product at a time.
///
/// Whoever computes takes the [`Lead`], and is then one of the threads itself: a team of `n` has
/// `n - 1` helpers. The lead is handed on in the order of asking, so several models take turns.
/// Helpers wait for work by spinning for a moment and then sleep.
pub struct Team {
    shared: Arc<Shared>,
    gate: FairMutex<()>,
    helpers: Vec<JoinHandle<()>>,
}

/// The right to compute with the team; given back when dropped.
pub struct Lead<'a> {
    team: &'a Team,
    _turn: FairMutexGuard<'a, ()>,
    /// A job must not start another one: it would wait for itself.
    _one_thread: PhantomData<Cell<()>>,
}

struct Shared {
    /// Number of the job, whether it is open, and how many helpers are at it.
    state: AtomicU64,
    next_task: AtomicUsize,
    job: UnsafeCell<Option<Job>>,
    sleeping: Box<[AtomicBool]>,
    is_stopped: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// A closure without its lifetime: see [`Lead::run`].
#[derive(Clone, Copy)]
struct Job {
    call: unsafe fn(*const (), usize),
    data: *const (),
    tasks: usize,
}

// SAFETY: `job` is written only by the leader while the state is closed and no helper is active,
// and read only by helpers that have joined while it was open (see `Lead::run`). What it points to
// is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer in `job` is followed only while the closure lives.
unsafe impl Send for Shared {}

// === impl Team ===

impl Team {
    /// Starts `threads - 1` helpers.
    pub fn new(threads: NonZeroUsize) -> io::Result<Self> {
        let count = threads.get() - 1;
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            next_task: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            sleeping: (0..count).map(|_| AtomicBool::new(false)).collect(),
            is_stopped: AtomicBool::new(false),
            panic: Mutex::new(None),
        });
        let mut team = Self {
            shared,
            gate: FairMutex::new(()),
            helpers: Vec::with_capacity(count),
        };
        for index in 0..count {
            let shared = Arc::clone(&team.shared);
            let helper = thread::Builder::new()
                .name(format!("compute-{index}"))
                .spawn(move || shared.help(index))?;
            team.helpers.push(helper);
        }
        Ok(team)
    }

    /// Threads that compute, the leader among them.
    pub fn threads(&self) -> usize {
        self.helpers.len() + 1
    }

    /// Waits for the lead.
    pub fn lead(&self) -> Lead<'_> {
        Lead {
            team: self,
            _turn: self.gate.lock(),
            _one_thread: PhantomData,
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::SeqCst);
        for helper in self.helpers.drain(..) {
            helper.thread().unpark();
            // A helper's panics are caught, and there is nobody left to tell.
            let _ = helper.join();
        }
    }
}

impl fmt::Debug for Team {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Team")
            .field("threads", &self.threads())
            .finish_non_exhaustive()
    }
}

// === impl Lead ===

impl Lead<'_> {
    /// Threads that compute, this one among them.
    pub fn threads(&self) -> usize {
        self.team.threads()
    }

    /// Calls `work` once with each number below `tasks`, on all threads of the team, and returns
    /// when all calls have returned. A panic in one of them goes on here.
    pub fn run<F: Fn(usize) + Sync>(&self, tasks: usize, work: F) {
        let shared = &*self.team.shared;
        if tasks <= 1 || self.team.helpers.is_empty() {
            for task in 0..tasks {
                work(task);
                breathe();
            }
            return;
        }
        // SAFETY: the last job is closed and no helper is active, so nobody reads. The closure
        // outlives the job: this function does not return or unwind before the job is closed and
        // all helpers that had joined are done.
        unsafe {
            *shared.job.get() = Some(Job {
                call: call::<F>,
                data: (&raw const work).cast(),
                tasks,
            });
        }
        shared.next_task.store(0, Ordering::Relaxed);
        // Only the leader changes a closed state.
        shared.state.fetch_add(EPOCH | OPEN, Ordering::SeqCst);
        for (sleeping, helper) in shared.sleeping.iter().zip(&self.team.helpers) {
            if sleeping.swap(false, Ordering::SeqCst) {
                helper.thread().unpark();
            }
        }
        let own = catch_unwind(AssertUnwindSafe(|| shared.take_tasks(tasks, &work)));
        if own.is_err() {
            shared.next_task.store(tasks, Ordering::Relaxed);
        }
        // Helpers that have not joined by now would find nothing to do.
        shared.state.fetch_and(!OPEN, Ordering::SeqCst);
        let mut spins = 0;
        while shared.state.load(Ordering::Acquire) & ACTIVE != 0 {
            spins += 1;
            if spins < SPINS_BEFORE_YIELD {
                hint::spin_loop();
            } else {
                thread::yield_now();
            }
        }
        if let Err(panic) = own {
            shared.panic.lock().take();
            resume_unwind(panic);
        }
        let of_helper = shared.panic.lock().take();
        if let Some(panic) = of_helper {
            resume_unwind(panic);
        }
    }

    /// As [`Lead::run`], with the numbers below `items` in runs of neighbours: several for each
    /// thread, so that one that is held up does not hold the others up, and none so long that a
    /// thread of higher priority notices it.
    pub fn run_in_runs(&self, items: usize, work: impl Fn(std::ops::Range<usize>) + Sync) {
        const RUNS_PER_THREAD: usize = 8;
        /// Of panels of some hundred columns and a tile of rows: about a tenth of a millisecond.
        const LONGEST_RUN: usize = 64;
        let threads = self.threads();
        let few = if threads == 1 {
            1
        } else {
            threads * RUNS_PER_THREAD
        };
        let runs = few.max(items.div_ceil(LONGEST_RUN)).min(items);
        self.run(runs, |run| {
            work(run * items / runs..(run + 1) * items / runs);
        });
    }
}

impl fmt::Debug for Lead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lead").field(self.team).finish()
    }
}

/// # Safety
///
/// `data` points to an `F` that lives until this returns.
unsafe fn call<F: Fn(usize) + Sync>(data: *const (), task: usize) {
    // SAFETY: the caller's promise.
    unsafe { (*data.cast::<F>())(task) }
}

// === impl Shared ===

impl Shared {
    fn take_tasks(&self, tasks: usize, work: impl Fn(usize)) {
        loop {
            let task = self.next_task.fetch_add(1, Ordering::Relaxed);
            if task >= tasks {
                return;
            }
            work(task);
            breathe();
        }
    }

    /// What a helper does all its life.
    fn help(&self, index: usize) {
        lower_priority();
        let mut last = 0;
        let mut spins = 0;
        while !self.is_stopped.load(Ordering::Relaxed) {
            let state = self.state.load(Ordering::Acquire);
            if state & OPEN != 0 && state / EPOCH != last {
                let joined = self.state.compare_exchange_weak(
                    state,
                    state + 1,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                );
                if joined.is_ok() {
                    last = state / EPOCH;
                    spins = 0;
                    self.work_on_job();
                    self.state.fetch_sub(1, Ordering::Release);
                }
            } else if spins < SPINS {
                spins += 1;
                hint::spin_loop();
            } else {
                self.sleep(index, last);
                spins = 0;
            }
        }
    }

    fn work_on_job(&self) {
        // SAFETY: this helper joined while the job was open, so the leader wrote it before and will
        // not write again, nor let the closure go, until this helper is no longer active.
        let job = unsafe { *self.job.get() };
        let Some(job) = job else { return };
        let done = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: `data` lives as long as this helper is active, and is what `call` expects.
            self.take_tasks(job.tasks, |task| unsafe { (job.call)(job.data, task) });
        }));
        if let Err(panic) = done {
            self.next_task.store(job.tasks, Ordering::Relaxed);
            self.panic.lock().get_or_insert(panic);
        }
    }

    fn sleep(&self, index: usize, last: u64) {
        let sleeping = &self.sleeping[index];
        sleeping.store(true, Ordering::SeqCst);
        // The leader opens a job before it looks who sleeps, so one of both sees the other.
        let state = self.state.load(Ordering::SeqCst);
        let has_work = state & OPEN != 0 && state / EPOCH != last;
        if !has_work && !self.is_stopped.load(Ordering::SeqCst) {
            thread::park();
        }
        sleeping.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team(threads: usize) -> Team {
        Team::new(NonZeroUsize::new(threads).unwrap()).unwrap()
    }

    #[test]
    fn every_task_runs_once() {
        for threads in [1, 2, 5] {
            let team = team(threads);
            for tasks in [0, 1, 2, 7, 1000] {
                let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                team.lead().run(tasks, |task| {
                    counts[task].fetch_add(1, Ordering::Relaxed);
                });
                assert!(
                    counts
                        .iter()
                        .all(|count| count.load(Ordering::Relaxed) == 1)
                );
            }
        }
    }

    #[test]
    fn many_short_jobs_from_several_leaders() {
        let team = team(3);
        let total = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        team.lead().run(5, |task| {
                            total.fetch_add(task, Ordering::Relaxed);
                        });
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), 4 * 500 * 10);
    }

    #[test]
    fn runs_cover_all_items() {
        let team = team(2);
        for items in [0, 1, 3, 100] {
            let seen = Mutex::new(vec![0; items]);
            team.lead().run_in_runs(items, |run| {
                seen.lock()[run].iter_mut().for_each(|count| *count += 1);
            });
            assert_eq!(seen.into_inner(), vec![1; items]);
        }
    }

    #[test]
    fn a_panic_reaches_the_leader_and_the_team_goes_on() {
        let team = team(2);
        for bad in 0..20 {
            let run = catch_unwind(AssertUnwindSafe(|| {
                team.lead()
                    .run(20, |task| assert_ne!(task, bad, "bad task"));
            }));
            assert!(run.is_err());
        }
        let count = AtomicUsize::new(0);
        team.lead().run(20, |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 20);
    }
}
