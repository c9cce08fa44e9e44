//! Children: started in a process group of their own, watched, and ended with it. See [`Process`].

use std::{io, path::PathBuf, time::Duration};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill, killpg},
    time::ClockId,
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::BenchError;

/// A running program; it ends when this is dropped, and every process that it has started ends too.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    /// None once it was stopped.
    child: Option<Child>,
    id: Pid,
}

/// What a process holds of the machine's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// Now.
    pub(super) resident: u64,
    /// The most so far.
    pub(super) peak: u64,
}

/// How long a program may take to come up.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether it has.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

// === impl Process ===

impl Process {
    /// Starts a program; `name` is for messages.
    pub(super) fn start(name: &'static str, mut command: Command) -> Result<Self, BenchError> {
        let program = command.as_std().get_program().to_owned();
        let failed = |source| BenchError::Start {
            name,
            program,
            source,
        };
        let child = command
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let id = child.id().and_then(|id| id.try_into().ok());
        let id = id.ok_or(BenchError::NotUp { name })?;
        Ok(Self {
            name,
            child: Some(child),
            id: Pid::from_raw(id),
        })
    }

    /// The child itself, for its pipes.
    pub(super) fn child(&mut self) -> Option<&mut Child> {
        self.child.as_mut()
    }

    /// Looks until `ready` gives something; an error if the program ends before or takes too long.
    pub(super) async fn wait_until<T>(
        &mut self,
        mut ready: impl AsyncFnMut() -> Option<T>,
    ) -> Result<T, BenchError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = ready().await {
                return Ok(value);
            }
            let ended = match self.child.as_mut() {
                Some(child) => child.try_wait()?.is_some(),
                None => true,
            };
            if ended || Instant::now() > deadline {
                return Err(BenchError::NotUp { name: self.name });
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// CPU time of this process and of those that it has started, user and system, of all threads.
    pub(super) fn cpu(&self) -> io::Result<Duration> {
        let mut time = cpu_time(self.id)?;
        let path = format!("/proc/{0}/task/{0}/children", self.id);
        for child in std::fs::read_to_string(path)?.split_whitespace() {
            let child = child.parse().map_err(io::Error::other)?;
            time += cpu_time(Pid::from_raw(child))?;
        }
        Ok(time)
    }

    /// Memory of this process.
    pub(super) fn memory(&self) -> io::Result<Memory> {
        let path = PathBuf::from(format!("/proc/{}/status", self.id));
        let status = std::fs::read_to_string(path)?;
        memory(&status).ok_or_else(|| io::Error::other("no memory figures in the status"))
    }

    /// Asks it to end, so that it takes leave of its own children, and waits until it is gone.
    pub(super) async fn stop(mut self) -> io::Result<()> {
        if let Some(child) = self.child.as_mut() {
            kill(self.id, Signal::SIGTERM)?;
            if let Ok(ended) = timeout(PATIENCE, child.wait()).await {
                ended?;
                self.child = None;
            }
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Once it was waited for, its id may be another's.
        if self.child.is_some() {
            // An error means that nothing of the group is left.
            let _: Result<(), Errno> = killpg(self.id, Signal::SIGKILL);
        }
    }
}

/// The kernel's own sum in nanoseconds; what `/proc/PID/stat` shows of it is cut to hundredths of a second.
fn cpu_time(id: Pid) -> io::Result<Duration> {
    let time = ClockId::pid_cpu_clock_id(id)?.now()?;
    Ok(time.into())
}

/// Resident and peak memory in the text of `/proc/PID/status`, where they stand in KiB.
fn memory(status: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib << 10)
    };
    Some(Memory {
        resident: field("VmRSS:")?,
        peak: field("VmHWM:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_status() {
        let status = "Name:\tx\nVmHWM:\t   12000 kB\nVmRSS:\t    1024 kB\nThreads:\t3\n";
        let expected = Memory {
            resident: 1_048_576,
            peak: 12_288_000,
        };
        assert_eq!(memory(status), Some(expected));
        assert_eq!(memory("Name:\tx\n"), None);
    }

    #[tokio::test]
    async fn a_program_that_is_dropped_ends_with_all_that_it_has_started() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & sleep 1000"]);
        let mut process = Process::start("sh", command).unwrap();
        let id = process.id;
        let children = process
            .wait_until(async || {
                let path = format!("/proc/{id}/task/{id}/children");
                let children = std::fs::read_to_string(path).ok()?;
                let children: Vec<String> =
                    children.split_whitespace().map(str::to_owned).collect();
                (children.len() == 2).then_some(children)
            })
            .await
            .unwrap();
        assert!(process.cpu().unwrap() < PATIENCE);
        drop(process);
        // Orphans are reaped by another process in its own time; until then they are zombies.
        let runs = |id: &String| {
            std::fs::read_to_string(format!("/proc/{id}/stat"))
                .is_ok_and(|stat| !stat.contains(") Z "))
        };
        let deadline = Instant::now() + PATIENCE;
        while children.iter().any(runs) {
            assert!(Instant::now() < deadline, "the children run on");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_program_that_is_stopped_can_take_leave() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        let script =
            "trap 'echo bye > left; exit' TERM; echo up > up; while :; do sleep 0.01; done";
        command.args(["-c", script]).current_dir(folder.path());
        let mut process = Process::start("sh", command).unwrap();
        let is_up = async || folder.path().join("up").exists().then_some(());
        process.wait_until(is_up).await.unwrap();
        process.stop().await.unwrap();
        assert!(folder.path().join("left").exists());
    }

    #[tokio::test]
    async fn a_program_that_ends_at_once_is_not_up() {
        let process = Process::start("false", Command::new("false"));
        let waited = process.unwrap().wait_until(async || None::<()>).await;
        assert_eq!(
            waited.unwrap_err().to_string(),
            "false did not come up; what it wrote is above"
        );
    }
}
