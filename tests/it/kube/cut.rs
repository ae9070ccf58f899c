//! A connection to the apiserver that can be cut, while others reach it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(super) struct Cut {
    pub(super) address: SocketAddr,
    open: Arc<watch::Sender<bool>>,
}

impl Cut {
    /// Passes on what comes in to a port of this machine.
    pub(super) async fn before(port: u16) -> Cut {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(watch::Sender::new(true));
        let state = open.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut state = state.subscribe();
                if !*state.borrow_and_update() {
                    continue;
                }
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
                    tokio::select! {
                        passed = copy_bidirectional(&mut client, &mut server) => passed.map(drop),
                        _ = state.changed() => Ok(()),
                    }
                });
            }
        });
        Cut { address, open }
    }

    pub(super) fn set(&self, open: bool) {
        self.open.send_replace(open);
    }
}
