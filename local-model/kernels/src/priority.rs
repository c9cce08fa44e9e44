//! Threads that compute let others go first: [`lower_priority`].

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

thread_local! {
    /// When the thread last entered the kernel on its own account.
    static LAST_BREATH: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Enters the kernel if the thread has not done so for some time. A Linux that preempts lazily lets a
/// thread that only computes go on until the next tick, four milliseconds away, though one of
/// ordinary priority waits for its core; on the way back from the kernel that one is let go first.
pub(crate) fn breathe() {
    /// A yield takes less than a microsecond where nobody waits.
    const PERIOD: Duration = Duration::from_micros(100);
    LAST_BREATH.with(|last| {
        #[expect(
            clippy::disallowed_methods,
            reason = "how long the core was taken is a matter of real time alone"
        )]
        let now = Instant::now();
        if last
            .get()
            .is_none_or(|last| now.duration_since(last) > PERIOD)
        {
            thread::yield_now();
            last.set(Some(now));
        }
    });
}

/// Lets every thread of ordinary priority go before the calling one, at once: what computes for
/// seconds must not delay what answers in microseconds. A thread of the lowest `nice` value would do
/// less, since it keeps its core until its slice of some milliseconds is over. Does nothing where the
/// system knows no such class of threads.
pub fn lower_priority() {
    #[cfg(target_os = "linux")]
    // SAFETY: the call reads `parameters`, which outlives it, and changes how the calling thread is
    // scheduled alone. By its number, since musl's function of this name refuses.
    unsafe {
        let parameters = libc::sched_param { sched_priority: 0 };
        // Lowering is always allowed; if it fails all the same, the thread works as before.
        libc::syscall(
            libc::SYS_sched_setscheduler,
            0,
            libc::SCHED_IDLE,
            &raw const parameters,
        );
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_of_the_lowest_priority_is_idle_to_the_system() {
        thread::spawn(|| {
            // SAFETY: it reads nothing of ours.
            let class = || unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
            let ordinary = class();
            lower_priority();
            assert_ne!(ordinary, i64::from(libc::SCHED_IDLE));
            assert_eq!(class(), i64::from(libc::SCHED_IDLE));
        })
        .join()
        .unwrap();
    }
}
