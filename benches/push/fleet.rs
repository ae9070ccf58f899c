//! Thousands of proxies in one process: a few threads, one connection and one task per proxy.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, mpsc as sync_mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, LocalSet};

use crate::board::Board;
use crate::names::Names;
use crate::proxy::{Identity, Proxy};
use crate::resource::{Kind, Mode};
use crate::sieve::Sieve;
use crate::stream::{Lost, Stalled, Stream};

/// As many as performance figures of others were taken with.
const THREADS: usize = 2;

/// Waits before another attempt, as Envoy does, though shorter at the beginning.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What a fleet is made of.
#[derive(Debug, Clone)]
pub(crate) struct Crew {
    pub(crate) mode: Mode,
    /// Encoded nodes, one for each proxy.
    pub(crate) nodes: Vec<Bytes>,
    pub(crate) remembers: bool,
    pub(crate) records: bool,
}

/// Proxies that connect, disconnect and stall together.
pub(crate) struct Fleet {
    pub(crate) board: Arc<Board>,
    pub(crate) size: usize,
    threads: Vec<(mpsc::UnboundedSender<Command>, JoinHandle<()>)>,
}

enum Command {
    Connect(SocketAddr),
    Disconnect(sync_mpsc::Sender<()>),
    Stall,
    Recorded(sync_mpsc::Sender<Vec<(Kind, Bytes)>>),
}

// === impl Fleet ===

impl Fleet {
    pub(crate) fn new(crew: &Crew) -> Fleet {
        let board = Arc::new(Board::new());
        let identity = |(i, node): (usize, &Bytes)| Identity {
            index: i as u32,
            mode: crew.mode,
            node: node.clone(),
            remembers: crew.remembers,
            records: crew.records,
        };
        let identities: Vec<_> = crew.nodes.iter().enumerate().map(identity).collect();
        let shares = identities.chunks(identities.len().div_ceil(THREADS).max(1));
        let threads = shares.map(|share| {
            let (share, board) = (share.to_vec(), board.clone());
            let (commands, receiver) = mpsc::unbounded_channel();
            (
                commands,
                std::thread::spawn(move || run(share, &board, receiver)),
            )
        });
        Fleet {
            size: identities.len(),
            threads: threads.collect(),
            board,
        }
    }

    /// Opens all streams at once; returns when that has been ordered, with the time of it.
    pub(crate) fn connect(&self, server: SocketAddr) -> u64 {
        self.board.answered.reset();
        let at = self.board.now();
        self.order(|| Command::Connect(server));
        at
    }

    /// Closes all connections. The proxies keep what they have.
    pub(crate) fn disconnect(&self) {
        let (done, closed) = sync_mpsc::channel();
        self.order(|| Command::Disconnect(done.clone()));
        drop(done);
        while closed.recv().is_ok() {}
    }

    /// From now on, nothing is read.
    pub(crate) fn stall(&self) {
        self.order(|| Command::Stall);
    }

    /// Waits until every proxy has everything; false if the time is up before.
    pub(crate) fn configured(&self, patience: Duration) -> bool {
        self.board
            .wait(|board| &board.complete, self.size, patience)
    }

    /// The responses since the last call, whole, of a fleet that records.
    pub(crate) fn recorded(&self) -> Vec<(Kind, Bytes)> {
        let (reply, recorded) = sync_mpsc::channel();
        self.order(|| Command::Recorded(reply.clone()));
        drop(reply);
        recorded.iter().flatten().collect()
    }

    fn order(&self, command: impl Fn() -> Command) {
        for (commands, _) in &self.threads {
            // A thread ends only with its sender.
            let _ = commands.send(command());
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for (commands, thread) in self.threads.drain(..) {
            drop(commands);
            // A panic of the thread has been printed.
            let _ = thread.join();
        }
    }
}

/// What the proxies of one thread share.
struct Shared {
    names: RefCell<Names>,
    board: Arc<Board>,
}

fn run(
    identities: Vec<Identity>,
    board: &Arc<Board>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a thread can have a runtime");
    let shared = Rc::new(Shared {
        names: RefCell::default(),
        board: board.clone(),
    });
    let proxies: Vec<_> = identities
        .into_iter()
        .map(|identity| Rc::new(RefCell::new(Proxy::new(identity))))
        .collect();
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        let mut tasks: Vec<AbortHandle> = Vec::new();
        let stalled = Stalled::default();
        while let Some(command) = commands.recv().await {
            match command {
                Command::Connect(server) => tasks.extend(proxies.iter().map(|proxy| {
                    let life = live(proxy.clone(), server, shared.clone(), stalled.clone());
                    tokio::task::spawn_local(life).abort_handle()
                })),
                Command::Disconnect(done) => {
                    tasks.drain(..).for_each(|task| task.abort());
                    // Aborted tasks are dropped, and their sockets closed, when the others had a turn.
                    tokio::task::yield_now().await;
                    drop(done);
                }
                Command::Stall => stalled.set(),
                Command::Recorded(reply) => {
                    let recorded = proxies
                        .iter()
                        .flat_map(|proxy| std::mem::take(&mut proxy.borrow_mut().recorded));
                    // Nobody may be waiting any more.
                    let _ = reply.send(recorded.collect());
                }
            }
        }
    });
}

/// One stream after the other, as long as the proxy is to be connected.
async fn live(proxy: Rc<RefCell<Proxy>>, server: SocketAddr, shared: Rc<Shared>, stalled: Stalled) {
    let mut wait = BACKOFF.0;
    loop {
        let lost = session(&proxy, server, &shared, stalled.clone()).await;
        if shared.board.lost.get() == 0 {
            eprintln!("    a stream was lost: {lost}");
        }
        shared.board.add(|board| &board.lost);
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(BACKOFF.1);
    }
}

async fn session(
    proxy: &RefCell<Proxy>,
    server: SocketAddr,
    shared: &Shared,
    stalled: Stalled,
) -> Lost {
    match converse(proxy, server, shared, stalled).await {
        Ok(()) => Lost::Ended,
        Err(lost) => lost,
    }
}

async fn converse(
    proxy: &RefCell<Proxy>,
    server: SocketAddr,
    shared: &Shared,
    stalled: Stalled,
) -> Result<(), Lost> {
    let (mode, from, first) = {
        let mut proxy = proxy.borrow_mut();
        (
            proxy.mode(),
            address(proxy.index()),
            proxy.open(&shared.names.borrow()),
        )
    };
    let mut stream = Stream::open(server, from, mode, first, stalled).await?;
    let mut sieve = Sieve::default();
    loop {
        let chunk = stream.next().await?;
        let mut requests = Vec::new();
        {
            let (mut proxy, mut names) = (proxy.borrow_mut(), shared.names.borrow_mut());
            sieve.feed(&chunk, |part| {
                requests.extend(proxy.take(part, &mut names, &shared.board))
            })?;
        }
        for request in requests {
            stream.send(request)?;
        }
    }
}

/// Every proxy has an address of its own, as in life, below 127.0.0.0/8.
fn address(index: u32) -> Ipv4Addr {
    let [_, a, b, c] = (index / 250 * 256 + index % 250 + 1).to_be_bytes();
    Ipv4Addr::new(127, 64 + a, b, c)
}
