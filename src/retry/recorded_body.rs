//! A request body that is recorded while it is sent.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::sync::{Mutex, lock};

/// A request body that is recorded while it is sent, by a [`RecordingLayer`](super::RecordingLayer).
///
/// It yields the frames of `B`, and keeps copies of them up to the layer's limit. A copy shares the memory of `Bytes`. Other buffers are
/// copied.
pub struct RecordedBody<B: Body> {
    /// The frames that were read, and not sent yet.
    ahead: VecDeque<Result<RecordedFrame, B::Error>>,
    /// The rest of the body; `None` at the end, and in a repeated body.
    rest: Option<B>,
    recording: Recording,
    /// The initial size hint of `B`, less the data that was sent. A repeated body has the same hint, so that both requests have the same
    /// framing.
    hint: SizeHint,
}

/// A frame that can be copied.
#[derive(Clone)]
enum RecordedFrame {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// The copy of a body, shared by the body and the request that may be repeated.
#[derive(Clone)]
pub(super) struct Recording(Arc<Mutex<RecordingState>>);

enum RecordingState {
    /// The body has not ended. At most `left` more bytes are recorded.
    Running { frames: Vec<RecordedFrame>, left: usize },
    /// The whole body was recorded.
    Whole(Vec<RecordedFrame>),
    /// The body was too large, has failed, or had not ended when the response arrived.
    Discarded,
}

// ===== impl RecordedBody =====

impl<B: Body + Unpin> RecordedBody<B> {
    /// Starts to record `body`, up to `max_bytes`.
    ///
    /// The data that the body has ready is read at once. So a body in memory is recorded completely before the request is sent, and can be
    /// repeated even if the server responds early.
    pub(super) fn new(body: B, max_bytes: usize) -> (Self, Recording) {
        let hint = body.size_hint();
        let recording = Recording::new(max_bytes);
        let mut this = Self { ahead: VecDeque::new(), rest: Some(body), recording: recording.clone(), hint };
        if this.hint.lower() > max_bytes as u64 {
            recording.discard();
        }
        if this.rest.as_ref().is_some_and(Body::is_end_stream) {
            this.end();
        }
        // No waker is needed, because the client polls the body again with its own.
        let mut cx = Context::from_waker(Waker::noop());
        while recording.is_running()
            && let Poll::Ready(Some(frame)) = this.poll_rest(&mut cx)
        {
            this.ahead.push_back(frame);
        }
        (this, recording)
    }

    /// Reads and records the next frame.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<RecordedFrame, B::Error>>> {
        loop {
            let Some(body) = &mut self.rest else { return Poll::Ready(None) };
            let frame = match ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    self.recording.discard();
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    self.end();
                    return Poll::Ready(None);
                }
            };
            // A frame contains data or trailers. Another kind is skipped.
            let Some(frame) = RecordedFrame::of(frame) else { continue };
            self.recording.push(&frame);
            // Clients may not poll a body after its trailers, or if `is_end_stream` returns true.
            if matches!(frame, RecordedFrame::Trailers(_)) || self.rest.as_ref().is_some_and(Body::is_end_stream) {
                self.end();
            }
            return Poll::Ready(Some(Ok(frame)));
        }
    }

    fn end(&mut self) {
        self.rest = None;
        self.recording.end();
    }
}

impl<B: Body> RecordedBody<B> {
    /// Returns a copy of the body, if the whole body was recorded. `hint` is the size hint before it was sent.
    pub(super) fn repeated(recording: &Recording, hint: &SizeHint) -> Option<Self> {
        let ahead = recording.whole()?.into_iter().map(Ok).collect();
        Some(Self { ahead, rest: None, recording: Recording::new(0), hint: subtract(hint, 0) })
    }
}

/// No field is pinned structurally, because `B` is `Unpin`.
impl<B: Body + Unpin> Unpin for RecordedBody<B> {}

impl<B: Body + Unpin> Body for RecordedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        let next = match this.ahead.pop_front() {
            None => ready!(this.poll_rest(cx)),
            frame => frame,
        };
        Poll::Ready(next.map(|frame| {
            Ok(match frame? {
                RecordedFrame::Data(data) => {
                    this.hint = subtract(&this.hint, data.len() as u64);
                    Frame::data(data)
                }
                RecordedFrame::Trailers(trailers) => Frame::trailers(trailers),
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        subtract(&self.hint, 0)
    }
}

impl<B: Body> fmt::Debug for RecordedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedBody").finish_non_exhaustive()
    }
}

fn subtract(hint: &SizeHint, sent: u64) -> SizeHint {
    let mut less = SizeHint::new();
    less.set_lower(hint.lower().saturating_sub(sent));
    if let Some(upper) = hint.upper() {
        less.set_upper(upper.saturating_sub(sent));
    }
    less
}

// ===== impl RecordedFrame =====

impl RecordedFrame {
    fn of<D: Buf>(frame: Frame<D>) -> Option<Self> {
        match frame.into_data() {
            Ok(mut data) => Some(Self::Data(data.copy_to_bytes(data.remaining()))),
            Err(frame) => frame.into_trailers().ok().map(Self::Trailers),
        }
    }

    /// Returns the size in bytes. An empty frame counts as one byte, so that reading in advance always ends.
    fn size(&self) -> usize {
        match self {
            Self::Data(data) => data.len().max(1),
            Self::Trailers(trailers) => trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum(),
        }
    }
}

// ===== impl Recording =====

impl Recording {
    fn new(max_bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(RecordingState::Running { frames: Vec::new(), left: max_bytes })))
    }

    fn is_running(&self) -> bool {
        matches!(*lock(&self.0), RecordingState::Running { .. })
    }

    fn push(&self, frame: &RecordedFrame) {
        let is_needed = Arc::strong_count(&self.0) > 1;
        let mut state = lock(&self.0);
        let RecordingState::Running { frames, left } = &mut *state else { return };
        match left.checked_sub(frame.size()) {
            Some(rest) if is_needed => {
                *left = rest;
                frames.push(frame.clone());
            }
            _ => *state = RecordingState::Discarded,
        }
    }

    fn end(&self) {
        let mut state = lock(&self.0);
        if let RecordingState::Running { frames, .. } = &mut *state {
            *state = RecordingState::Whole(std::mem::take(frames));
        }
    }

    fn discard(&self) {
        *lock(&self.0) = RecordingState::Discarded;
    }

    /// Returns a copy of all frames. If the body has not ended, nothing more is recorded.
    fn whole(&self) -> Option<Vec<RecordedFrame>> {
        let mut state = lock(&self.0);
        match &*state {
            RecordingState::Whole(frames) => Some(frames.clone()),
            _ => {
                *state = RecordingState::Discarded;
                None
            }
        }
    }
}
