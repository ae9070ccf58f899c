//! The response body of a stream: pulls responses when h2 has room, and frames them as they go.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::sync::mpsc;
use tonic::Status;

use crate::frame::Frames;
use crate::message::{Mode, Response};

/// What a session hands over: a response, or how the stream ends.
pub(super) type Outgoing = Result<Response, Status>;

/// The body of one stream's HTTP response. The queue behind it holds one response, so a client that
/// does not read holds back its own stream and nothing else.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    mode: Mode,
    responses: mpsc::Receiver<Outgoing>,
    frames: Option<Frames>,
    /// Said once, with the first response.
    identity: Option<Arc<str>>,
    ended: bool,
}

impl ResponseBody {
    pub(super) fn new(
        mode: Mode,
        responses: mpsc::Receiver<Outgoing>,
        identity: Arc<str>,
    ) -> ResponseBody {
        ResponseBody {
            mode,
            responses,
            frames: None,
            identity: Some(identity),
            ended: false,
        }
    }

    /// A body that ends at once.
    pub(super) fn refused(status: Status) -> ResponseBody {
        let (sender, responses) = mpsc::channel(1);
        // There is room for one.
        let _ = sender.try_send(Err(status));
        ResponseBody {
            mode: Mode::Delta,
            responses,
            frames: None,
            identity: None,
            ended: false,
        }
    }

    fn end(&mut self, status: &Status) -> Frame<Bytes> {
        self.ended = true;
        let mut trailers = HeaderMap::new();
        if let Err(invalid) = status.add_header(&mut trailers) {
            tracing::debug!(error = %invalid, "a status does not fit into trailers");
            trailers.insert(
                Status::GRPC_STATUS,
                http::HeaderValue::from(status.code() as i32),
            );
        }
        Frame::trailers(trailers)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if let Some(chunk) = self.frames.as_mut().and_then(Iterator::next) {
                return Poll::Ready(Some(Ok(Frame::data(chunk))));
            }
            self.frames = None;
            if self.ended {
                return Poll::Ready(None);
            }
            let frame = match std::task::ready!(self.responses.poll_recv(cx)) {
                Some(Ok(response)) => {
                    let identity = self.identity.take();
                    self.frames = Some(Frames::new(self.mode, response, identity.as_deref()));
                    continue;
                }
                Some(Err(status)) => self.end(&status),
                None => self.end(&Status::internal(
                    "the stream's task ended without a status",
                )),
            };
            return Poll::Ready(Some(Ok(frame)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
