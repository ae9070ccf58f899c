//! The requests of one stream, as they come from the socket.

use std::pin::Pin;

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use tonic::Status;

use crate::deframe::{DeframeError, Deframer};
use crate::message::Request;
use crate::wire::{Reader, WireNode};

/// A request, with the node if that is told for the first time; none if the client has no more.
pub(super) type Received = Result<Option<(Option<WireNode>, Request)>, Status>;

/// Reads one request after the other.
pub(super) struct Requests {
    body: Incoming,
    deframer: Deframer,
    reader: Reader,
}

impl Requests {
    pub(super) fn new(body: Incoming, reader: Reader, limit: usize) -> Requests {
        Requests {
            body,
            deframer: Deframer::new(limit),
            reader,
        }
    }

    /// The next request. Nothing is lost if this is dropped while
    /// it waits.
    pub(super) async fn next(&mut self) -> Received {
        loop {
            if let Some(message) = self.deframer.next().map_err(|error| status(&error))? {
                let request = self.reader.read(&message);
                return request.map(Some).map_err(|error| {
                    Status::invalid_argument(format!("a request cannot be decoded: {error}"))
                });
            }
            match self.bytes().await? {
                Some(bytes) => self.deframer.push(bytes),
                None => return Ok(None),
            }
        }
    }

    async fn bytes(&mut self) -> Result<Option<Bytes>, Status> {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await;
        match frame {
            // Trailers say nothing that we need.
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
            Some(Err(error)) => Err(Status::cancelled(format!("the stream broke: {error}"))),
            None => Ok(None),
        }
    }
}

fn status(error: &DeframeError) -> Status {
    match error {
        DeframeError::Compressed => Status::unimplemented(error.to_string()),
        DeframeError::TooLarge { .. } => Status::resource_exhausted(error.to_string()),
    }
}
