//! Starts children from one thread that lives as long as the process.
//!
//! `setpriv --pdeathsig KILL` (util-linux) asks the kernel to kill the child when its parent dies,
//! even if the parent had no chance to clean up. "Parent" means the *thread* that forked
//! (prctl(2), PR_SET_PDEATHSIG): a child started on a thread of a runtime's blocking pool would
//! die when that thread has been idle for a while. Hence a thread of our own.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// What to start. Output goes to the log, input is empty.
#[derive(Debug)]
pub struct Order {
    /// The executable, or its name to look for on PATH.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Where both outputs go.
    pub log: File,
}

struct Job {
    order: Order,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// Starts the child; it is killed when the handle is dropped or when this process dies.
pub async fn spawn(order: Order) -> io::Result<Child> {
    let (reply, child) = oneshot::channel();
    let runtime = Handle::current();
    let job = Job {
        order,
        runtime,
        reply,
    };
    let ended = |_| io::Error::other("the thread that starts processes has ended");
    nursery()?.send(job).map_err(|_| ended(()))?;
    child.await.map_err(|_| ended(()))?
}

fn nursery() -> io::Result<mpsc::Sender<Job>> {
    static NURSERY: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    if let Some(jobs) = NURSERY.get() {
        return Ok(jobs.clone());
    }
    let (jobs, queue) = mpsc::channel();
    // Should two callers come first at once, the loser's thread ends with its queue.
    thread::Builder::new()
        .name("nursery".into())
        .spawn(|| work(queue))?;
    Ok(NURSERY.get_or_init(|| jobs).clone())
}

fn work(queue: mpsc::Receiver<Job>) {
    let guarded = can_guard();
    for Job {
        order,
        runtime,
        reply,
    } in queue
    {
        let _entered = runtime.enter();
        // If nobody waits any more, the child comes back here and dies with its handle.
        drop(reply.send(start(order, guarded)));
    }
}

fn start(order: Order, guarded: bool) -> io::Result<Child> {
    let mut command = if guarded {
        let mut command = Command::new(SETPRIV);
        command.args(GUARD).arg(&order.program);
        command
    } else {
        Command::new(&order.program)
    };
    let errors = order.log.try_clone()?;
    command
        .args(&order.args)
        .stdin(Stdio::null())
        .stdout(order.log)
        .stderr(errors)
        // Ctrl-C in a terminal goes to the whole group; we end our children ourselves, in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

const SETPRIV: &str = "setpriv";
const GUARD: [&str; 3] = ["--pdeathsig", "KILL", "--"];

/// setpriv is essential on Debian; elsewhere it may be missing or (BusyBox) lack the option.
fn can_guard() -> bool {
    let status = std::process::Command::new(SETPRIV)
        .args(GUARD)
        .arg("true")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let guarded = status.is_ok_and(|status| status.success());
    if !guarded {
        tracing::warn!("no usable setpriv: if this process is killed, its Envoys stay behind");
    }
    guarded
}
