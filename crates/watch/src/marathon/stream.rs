//! The open event stream: frames, silence and the end.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::{Response, Url};
use tokio::time::{Instant, timeout_at};

use super::client::Client;
use super::failure::{Failure, causes};
use super::sse::{Frame, Parser};

/// Heavy deployment plans of old Marathons reach megabytes; nothing sane reaches this.
const LARGEST_EVENT: usize = 8 << 20;

pub(super) struct EventStream {
    response: Response,
    parser: Parser,
    ready: VecDeque<Frame>,
    idle: Duration,
    /// When the last byte came, a heartbeat included.
    heard: Instant,
}

// === impl EventStream ===

impl EventStream {
    pub(super) async fn open(
        client: &Client,
        base: &Url,
        idle: Duration,
    ) -> Result<EventStream, Failure> {
        Ok(EventStream {
            response: client.events(base).await?,
            parser: Parser::new(LARGEST_EVENT),
            ready: VecDeque::new(),
            idle,
            heard: Instant::now(),
        })
    }

    /// The next event. May be dropped while waiting without losing anything.
    pub(super) async fn next(&mut self) -> Result<Frame, Failure> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Ok(frame);
            }
            let silence = self.heard + self.idle;
            let bytes = match timeout_at(silence, self.response.chunk()).await {
                Err(_) => return Err(Failure::Silent(self.idle)),
                Ok(Err(error)) => return Err(Failure::Closed(format!(": {}", causes(error)))),
                Ok(Ok(None)) => return Err(Failure::Closed(String::new())),
                Ok(Ok(Some(bytes))) => bytes,
            };
            self.heard = Instant::now();
            let frames = self.parser.push(&bytes);
            self.ready
                .extend(frames.map_err(|_| Failure::TooLarge(LARGEST_EVENT))?);
        }
    }
}
