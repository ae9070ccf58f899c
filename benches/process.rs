//! Processor time and memory of a process, as the kernel counts them.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Reads the processor time of a process, again and again.
///
/// `/proc/<pid>/stat` counts in steps of 10 ms, which is more than a change costs; the scheduler's
/// own count is exact, but per thread, and ends with it. A thread that has ended counts with what
/// it had when it was last seen.
pub struct Meter {
    pid: u32,
    threads: BTreeMap<String, u64>,
}

/// Resident memory in MB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub now: f64,
    pub peak: f64,
}

// === impl Meter ===

impl Meter {
    pub fn new(pid: u32) -> Meter {
        let mut meter = Meter {
            pid,
            threads: BTreeMap::new(),
        };
        meter.total();
        meter
    }

    /// All that the process has used so far.
    pub fn total(&mut self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid))
            .into_iter()
            .flatten();
        for task in tasks.flatten() {
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            if let Some(used) = text.split(' ').next().and_then(|n| n.parse().ok()) {
                self.threads
                    .insert(task.file_name().to_string_lossy().into_owned(), used);
            }
        }
        Duration::from_nanos(self.threads.values().sum())
    }
}

// === impl Memory ===

impl Memory {
    pub fn of(pid: u32) -> Memory {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        Memory {
            now: megabytes(&status, "VmRSS:"),
            peak: megabytes(&status, "VmHWM:"),
        }
    }
}

fn megabytes(status: &str, field: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes: Option<f64> =
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kilobytes.map_or(f64::NAN, |kb| kb / 1024.0)
}

/// The load average of the last minute.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or(f64::NAN)
}

/// Allows as many open files as are wished for, or as the system grants; how many that are.
pub fn raise_file_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= WISHED);
    if !enough(current) {
        // The hard limit goes up, too, where we may; else the soft one goes as far as that.
        let hard = if enough(maximum) {
            maximum
        } else {
            Some(WISHED)
        };
        let wished = Rlimit {
            current: Some(WISHED),
            maximum: hard,
        };
        let granted = setrlimit(Resource::Nofile, wished);
        if granted.is_err() {
            // Then the limit stays as it is, and the caller tells what it is.
            let _ = setrlimit(
                Resource::Nofile,
                Rlimit {
                    current: maximum,
                    maximum,
                },
            );
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

const WISHED: u64 = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_time_and_memory() {
        let pid = std::process::id();
        let mut meter = Meter::new(pid);
        let before = meter.total();
        while meter.total() < before + Duration::from_millis(5) {
            std::hint::black_box((0..100_000).sum::<u64>());
        }
        let memory = Memory::of(pid);
        assert!(memory.now > 0.5 && memory.peak >= memory.now, "{memory:?}");
    }

    #[test]
    fn a_process_that_is_gone_has_no_memory() {
        assert!(Memory::of(u32::MAX).now.is_nan());
    }
}
