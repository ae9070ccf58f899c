//! The servers, each as a process of its own: the control plane under test, and the floor.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

/// A process that ends with its handle.
struct Process(Child);

/// The control plane under test.
pub(crate) struct Pilothouse {
    process: Process,
    pub(crate) ads: SocketAddr,
    http: SocketAddr,
    /// When it was started.
    born: Instant,
}

/// How to start it.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) binary: PathBuf,
    pub(crate) config_dir: PathBuf,
    pub(crate) marathon: String,
    /// Quiet time and maximum; `None` as shipped.
    pub(crate) debounce: Option<Duration>,
    pub(crate) log: PathBuf,
}

/// The floor server.
pub(crate) struct Floor {
    process: Process,
    input: ChildStdin,
    pub(crate) ads: SocketAddr,
}

/// The processes that run now, by id.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Between two looks whether the server is ready.
const LOOK: Duration = Duration::from_micros(500);

// === impl Pilothouse ===

impl Pilothouse {
    pub(crate) fn start(launch: &Launch) -> Result<Pilothouse> {
        let (ads, http) = (free_port()?, free_port()?);
        let log = File::options()
            .create(true)
            .append(true)
            .open(&launch.log)?;
        let mut command = Command::new(&launch.binary);
        command.arg("discovery").args([
            "--grpcAddr",
            &ads.to_string(),
            "--httpAddr",
            &http.to_string(),
            "--monitoringAddr",
            "",
        ]);
        command.arg("--configDir").arg(&launch.config_dir).args([
            "--registries",
            "Mesos",
            "--mesosMaster",
            &launch.marathon,
        ]);
        if let Some(time) = launch.debounce {
            let time = format!("{}ms", time.as_millis());
            command.args(["--debounceAfter", &time, "--debounceMax", &time]);
        }
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let born = Instant::now();
        let process = Process::start(&mut command)
            .with_context(|| format!("cannot start {}", launch.binary.display()))?;
        Ok(Pilothouse {
            process,
            ads,
            http,
            born,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub(crate) fn age(&self) -> Duration {
        self.born.elapsed()
    }

    /// Waits until `/ready` says so; how long after the start that was.
    pub(crate) fn ready(&mut self, patience: Duration) -> Result<Duration> {
        while self.age() < patience {
            if is_ready(self.http) {
                return Ok(self.age());
            }
            if let Some(status) = self.process.0.try_wait()? {
                bail!("the server ended with {status}; its log tells why");
            }
            std::thread::sleep(LOOK);
        }
        bail!("the server was not ready within {patience:?}; its log tells why")
    }
}

fn is_ready(http: SocketAddr) -> bool {
    let ask = || -> io::Result<bool> {
        let mut socket = TcpStream::connect(http)?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        socket.write_all(b"GET /ready HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        socket.read_exact(&mut status)?;
        Ok(&status == b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

// === impl Floor ===

impl Floor {
    pub(crate) fn start(recording: &Path) -> Result<Floor> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("--floor")
            .arg(recording)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Process::start(&mut command).context("cannot start the floor server")?;
        let (input, output) = (process.0.stdin.take(), process.0.stdout.take());
        let mut port = String::new();
        BufReader::new(output.context("the floor has an output")?).read_line(&mut port)?;
        let port: u16 = port.trim().parse().context("the floor tells its port")?;
        ensure!(port != 0, "the floor has a port");
        let input = input.context("the floor has an input")?;
        Ok(Floor {
            process,
            input,
            ads: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Sends a change, by its number in the recording, to all streams.
    pub(crate) fn change(&mut self, number: usize) -> Result<()> {
        Ok(writeln!(self.input, "{number}")?)
    }
}

/// From now on a signal ends the servers, too, and only those that were started here.
pub(crate) fn end_with_signals() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (mut interrupt, mut terminate) = runtime.block_on(async {
        io::Result::Ok((
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        ))
    })?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! { _ = interrupt.recv() => {} _ = terminate.recv() => {} }
        });
        for pid in running().iter() {
            let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw);
            // Fails only if it has ended already.
            let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
        }
        std::process::exit(130);
    });
    Ok(())
}

fn running() -> MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Process ===

impl Process {
    fn start(command: &mut Command) -> io::Result<Process> {
        // Held meanwhile, so that a signal finds every process or comes before it.
        let mut running = running();
        let child = command.spawn()?;
        running.push(child.id());
        Ok(Process(child))
    }
}

/// The port may be taken by another before the server takes it; then the server says so and ends.
fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?.local_addr()
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.0.kill();
        running().retain(|pid| *pid != self.0.id());
        let _ = self.0.wait();
    }
}
