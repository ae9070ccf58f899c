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

/// What a session hands over: responses that may go in one flush, or how the stream ends.
pub(super) type Outgoing = Result<Vec<Response>, Status>;

/// The body of one stream's HTTP response. The queue behind it holds one burst, so a client that
/// does not read holds back its own stream and nothing else.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    mode: Mode,
    bursts: mpsc::Receiver<Outgoing>,
    burst: std::vec::IntoIter<Response>,
    frames: Option<Frames>,
    /// Said once, with the first response.
    identity: Option<Arc<str>>,
    ended: bool,
}

impl ResponseBody {
    pub(super) fn new(
        mode: Mode,
        bursts: mpsc::Receiver<Outgoing>,
        identity: Arc<str>,
    ) -> ResponseBody {
        ResponseBody {
            mode,
            bursts,
            burst: Vec::new().into_iter(),
            frames: None,
            identity: Some(identity),
            ended: false,
        }
    }

    /// A body that ends at once.
    pub(super) fn refused(status: Status) -> ResponseBody {
        let (sender, bursts) = mpsc::channel(1);
        // There is room for one.
        let _ = sender.try_send(Err(status));
        ResponseBody {
            mode: Mode::Delta,
            bursts,
            burst: Vec::new().into_iter(),
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
            if let Some(response) = self.burst.next() {
                let identity = self.identity.take();
                self.frames = Some(Frames::new(self.mode, response, identity.as_deref()));
                continue;
            }
            self.burst = Vec::new().into_iter();
            let frame = match std::task::ready!(self.bursts.poll_recv(cx)) {
                Some(Ok(burst)) => {
                    self.burst = burst.into_iter();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::resource::Resource;

    /// The connection writes to the socket when the body has nothing more for now.
    #[tokio::test]
    async fn o01_a_burst_goes_in_one_flush() {
        let (bursts, incoming) = mpsc::channel(1);
        let mut body = ResponseBody::new(Mode::Delta, incoming, "test".into());
        let burst = [Kind::Cluster, Kind::Endpoint, Kind::Listener].map(|kind| Response {
            kind,
            version_info: "v".into(),
            nonce: "1".into(),
            resources: vec![Resource::new(kind, "a", "1")],
            removed: Vec::new(),
        });
        bursts.try_send(Ok(burst.into())).expect("room");
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for kind in ["Cluster", "Endpoint", "Listener"] {
            let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) else {
                panic!("{kind} is not ready");
            };
            let bytes = frame.into_data().expect("data");
            let text = String::from_utf8_lossy(&bytes);
            assert!(text.contains(&kind.to_ascii_lowercase()), "{text:?}");
        }
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending());
    }
}
