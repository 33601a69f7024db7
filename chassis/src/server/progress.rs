//! How far a connection has come, as seen from its socket and its requests. Both note what happens
//! here, and the connection looks. They share it through atomics, since HTTP/2 answers requests in
//! several tasks.
//!
//! Whoever notes something only counts it. The time is asked for when somebody looks, once after
//! whatever has happened: asking several times a request would be a hundredth of its cost.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use crate::{base::lock, lifecycle::WaitsFor};

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Part of a request has come in.
    ReceivingHeaders,
    /// Between two requests.
    Idle,
    /// A request is being answered.
    Busy,
    /// The client doesn't take its answer at the moment.
    Stalled,
}

/// How far a connection has come.
#[derive(Debug)]
pub(super) struct Progress {
    /// Whether bytes that come in may be the beginning of a request: in HTTP/2 they may be frames
    /// that belong to none.
    bytes_are_requests: bool,
    /// How many requests are in flight, in the lower half, and how many have been, in the upper one:
    /// so the end of a request is one operation.
    requests: AtomicU64,
    /// Of those, how many have an answer that the client doesn't let come: in HTTP/2 it may open no
    /// window, and nothing is written then. They are counted in two turns, see [`turn`](Self::turn).
    held_back: [AtomicU32; 2],
    /// In which of the two answers that are held back now are counted.
    turn: AtomicU8,
    /// Whether a handler is at work, and nothing of its answer is there.
    awaits_answer: AtomicBool,
    /// How often somebody has doubted that the client of the answer is still there, and how many bytes
    /// of the answer it has been sent ahead to find out.
    doubts: AtomicU8,
    sent_ahead: AtomicU8,
    receiving_headers: AtomicBool,
    stalled: AtomicBool,
    /// Whether anybody waits for a request to end.
    awaited: AtomicBool,
    waiting: Mutex<Waiting>,
    /// Counts what happens; it may wrap.
    events: AtomicU32,
    epoch: Instant,
    /// The count at the last look, and when that was, in milliseconds after the epoch.
    seen: AtomicU32,
    seen_at: AtomicU64,
}

/// Who waits for a request to end.
#[derive(Debug, Default)]
struct Waiting {
    /// Whoever reads, and learns that the client sends no more when the requests are answered.
    reader: Option<Waker>,
    /// Whoever tells the client to go once it has an answer.
    driver: Option<Waker>,
}

impl Progress {
    /// Somebody has seen the first bytes of the connection.
    pub(super) fn new(epoch: Instant, http2: bool) -> Self {
        Self {
            bytes_are_requests: !http2,
            requests: AtomicU64::new(0),
            held_back: Default::default(),
            turn: AtomicU8::new(0),
            awaits_answer: AtomicBool::new(false),
            doubts: AtomicU8::new(0),
            sent_ahead: AtomicU8::new(0),
            receiving_headers: AtomicBool::new(!http2),
            stalled: AtomicBool::new(false),
            awaited: AtomicBool::new(false),
            waiting: Mutex::default(),
            events: AtomicU32::new(1), // the first look sees that as news
            epoch,
            seen: AtomicU32::new(0),
            seen_at: AtomicU64::new(0),
        }
    }

    pub(super) fn state(&self) -> State {
        let in_flight = self.in_flight();
        let [this, last] = &self.held_back;
        let held_back = this.load(Ordering::Relaxed) + last.load(Ordering::Relaxed);
        if self.stalled.load(Ordering::Relaxed) || (in_flight > 0 && held_back == in_flight) {
            State::Stalled
        } else if in_flight > 0 {
            State::Busy
        } else if self.receiving_headers.load(Ordering::Relaxed) {
            State::ReceivingHeaders
        } else {
            State::Idle
        }
    }

    /// How many requests are being answered.
    pub(super) fn in_flight(&self) -> u32 {
        self.requests.load(Ordering::Relaxed) as u32
    }

    /// Whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight() > 0
    }

    /// How many requests have ended; it may wrap.
    pub(super) fn ended(&self) -> u32 {
        (self.requests.load(Ordering::Relaxed) >> 32) as u32
    }

    /// When something last happened, as far as anybody has looked; the connection looks whenever it
    /// has been polled.
    pub(super) fn since(&self) -> Instant {
        let events = self.events.load(Ordering::Relaxed);
        let millis = if self.seen.load(Ordering::Relaxed) == events {
            self.seen_at.load(Ordering::Relaxed)
        } else {
            let millis = self.epoch.elapsed().as_millis() as u64;
            self.seen_at.store(millis, Ordering::Relaxed);
            self.seen.store(events, Ordering::Relaxed);
            millis
        };
        self.epoch + Duration::from_millis(millis)
    }

    fn note(&self) {
        // Two threads may count as one: it is only ever compared.
        let events = self.events.load(Ordering::Relaxed).wrapping_add(1);
        self.events.store(events, Ordering::Relaxed);
    }

    /// Bytes have come in.
    pub(super) fn bytes_received(&self) {
        if self.bytes_are_requests && self.state() == State::Idle {
            self.receiving_headers.store(true, Ordering::Relaxed);
            self.note();
        }
    }

    /// A request's headers are complete.
    pub(super) fn request_begins(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.receiving_headers.store(false, Ordering::Relaxed);
        self.note();
    }

    /// The last byte of its answer has been handed to the connection, or its client has left.
    pub(super) fn request_ends(&self) {
        const ENDED: u64 = 1 << 32;
        // In one order with `poll_ended` and `poll_client_closed`: one of the two sees what the other did.
        self.requests.fetch_add(ENDED - 1, Ordering::SeqCst);
        self.note();
        if self.awaited.load(Ordering::SeqCst) {
            let Waiting { reader, driver } = std::mem::take(&mut *self.waiting());
            reader.into_iter().chain(driver).for_each(Waker::wake);
        }
    }

    /// Waits until more requests have ended than `before`.
    pub(super) fn poll_ended(&self, before: u32, cx: &Context<'_>) -> Poll<()> {
        self.waiting().driver = Some(cx.waker().clone());
        self.awaited.store(true, Ordering::SeqCst);
        let ended = (self.requests.load(Ordering::SeqCst) >> 32) as u32;
        if ended == before {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    /// An answer waits for the client to let it come. It is counted in the turn that is returned.
    pub(super) fn answer_held_back(&self) -> u8 {
        let turn = self.turn.load(Ordering::Relaxed);
        self.held_back[usize::from(turn)].fetch_add(1, Ordering::Relaxed);
        self.note();
        turn
    }

    /// It waits no more.
    pub(super) fn answer_let_go(&self, turn: u8) {
        self.held_back[usize::from(turn)].fetch_sub(1, Ordering::Relaxed);
        self.note();
    }

    /// Begins the other turn, which has what is held back from now on. Returns whether an answer is left
    /// there from before: it has been held back for the whole of the turn that ends.
    pub(super) fn turn(&self) -> bool {
        let other = 1 - self.turn.load(Ordering::Relaxed);
        self.turn.store(other, Ordering::Relaxed);
        self.held_back[usize::from(other)].load(Ordering::Relaxed) > 0
    }

    /// A handler is at work.
    pub(super) fn answer_awaited(&self) {
        self.awaits_answer.store(true, Ordering::Relaxed);
    }

    /// Its answer begins.
    pub(super) fn answer_begins(&self) {
        self.awaits_answer.store(false, Ordering::Relaxed);
    }

    /// Somebody doubts that the client is still there.
    pub(super) fn doubt(&self) {
        let doubts = self.doubts.load(Ordering::Relaxed);
        self.doubts
            .store(doubts.saturating_add(1), Ordering::Relaxed);
    }

    pub(super) fn is_doubtful(&self) -> bool {
        self.doubts.load(Ordering::Relaxed) > 0
    }

    /// The next byte of an answer that begins like that, if it can be sent and there is a doubt that it
    /// would settle.
    pub(super) fn next_ahead(&self, start: &[u8]) -> Option<u8> {
        let sent = self.sent_ahead.load(Ordering::Relaxed);
        let is_due = sent < self.doubts.load(Ordering::Relaxed)
            && self.awaits_answer.load(Ordering::Relaxed);
        start.get(usize::from(sent)).copied().filter(|_| is_due)
    }

    pub(super) fn bytes_sent_ahead(&self, bytes: usize) {
        let sent = self.sent_ahead() + bytes;
        self.sent_ahead.store(sent as u8, Ordering::Relaxed); // a few at most
    }

    /// How many bytes of an answer the client has before it is written.
    pub(super) fn sent_ahead(&self) -> usize {
        self.sent_ahead.load(Ordering::Relaxed).into()
    }

    /// So many of them have been written a second time, to nobody.
    pub(super) fn caught_up(&self, bytes: usize) {
        let left = self.sent_ahead() - bytes;
        self.sent_ahead.store(left as u8, Ordering::Relaxed);
    }

    /// The client's side takes no more bytes, for now.
    pub(super) fn write_stalled(&self) {
        self.stalled.store(true, Ordering::Relaxed);
    }

    /// It has taken some. In HTTP/2 that may be frames that belong to no request, such as the answer to a
    /// PING: they keep no connection open.
    pub(super) fn bytes_written(&self) {
        if self.bytes_are_requests || self.is_busy() || self.stalled.load(Ordering::Relaxed) {
            self.note();
        }
    }

    /// It has taken all.
    pub(super) fn all_written(&self) {
        if self.stalled.load(Ordering::Relaxed) {
            self.stalled.store(false, Ordering::Relaxed);
            self.note();
        }
    }

    /// The client sends no more. In HTTP/2 it is pending while a request is being answered: the reader
    /// is woken up when it ends.
    pub(super) fn poll_client_closed(&self, cx: &Context<'_>) -> Poll<()> {
        if self.bytes_are_requests {
            return Poll::Ready(()); // HTTP/1 reads when it wants something
        }
        self.waiting().reader = Some(cx.waker().clone());
        self.awaited.store(true, Ordering::SeqCst);
        if self.requests.load(Ordering::SeqCst) as u32 > 0 {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }
}

/// The connections that were there when the listener closed. They aren't listed before, since that
/// would cost each connection something for a question that only a stop asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Remaining(Arc<Mutex<Vec<Weak<Progress>>>>);

impl Remaining {
    pub(super) fn add(&self, progress: &Arc<Progress>) {
        self.list().push(Arc::downgrade(progress));
    }

    /// What those wait for that are still there.
    pub(super) fn wait_for(&self) -> WaitsFor {
        let mut sum = WaitsFor::default();
        for progress in self.list().iter().filter_map(Weak::upgrade) {
            match (progress.in_flight() as usize, progress.state()) {
                // Its last byte has been handed over, and isn't on its way yet.
                (0, State::Stalled) => sum.in_flight += 1,
                (0, State::ReceivingHeaders) => sum.coming_in += 1,
                (0, State::Idle | State::Busy) => sum.lingering += 1,
                (requests, _) => sum.in_flight += requests,
            }
        }
        sum
    }

    fn list(&self) -> MutexGuard<'_, Vec<Weak<Progress>>> {
        lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_reader_that_waits_with_the_end_of_the_input_is_woken_up_when_the_request_ends() {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let cx = Context::from_waker(&waker);
        let progress = Progress::new(Instant::now(), true);
        progress.request_begins();
        assert!(progress.poll_client_closed(&cx).is_pending());
        assert!(!woken.0.load(Ordering::Relaxed), "the request goes on");
        progress.request_ends();
        assert!(woken.0.load(Ordering::Relaxed), "and now it doesn't");
        assert!(progress.poll_client_closed(&cx).is_ready());
    }
}
