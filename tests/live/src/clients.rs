//! Many clients at one moment.

use std::io::{ErrorKind, Result};
use std::ops::ControlFlow;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::http::{Client, Response};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// An answer with this status.
    Status(u16),
    /// No answer in time.
    TimedOut,
    /// The connection failed before the answer was complete.
    Broken,
}

/// One request and its outcome.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Which client asked, from 0.
    pub client: usize,
    /// When it asked, in microseconds since the load began.
    pub start: u64,
    /// When the end of the answer was there.
    pub end: u64,
    /// The status, or the kind of failure.
    pub outcome: Outcome,
    /// The body, or the error.
    pub body: String,
}

impl Answer {
    /// Whether it is what was asked for.
    pub fn is_good(&self) -> bool {
        self.outcome == Outcome::Status(200)
    }
}

/// Clients that ask at once.
#[derive(Clone, Debug)]
pub struct Load {
    /// The server's port on 127.0.0.1.
    pub port: u16,
    /// How many clients ask at once.
    pub clients: usize,
    /// Whether a client keeps its connection.
    pub keep_alive: bool,
    /// How long one answer may take.
    pub timeout: Duration,
}

/// Everything that a load saw.
pub struct Record {
    /// When it began, in seconds since the epoch: the clock of the interpreters' notes.
    pub began: f64,
    /// All answers, client by client.
    pub answers: Vec<Answer>,
}

impl Load {
    /// Clients that keep their connections and wait long enough for any cold start.
    pub fn new(port: u16, clients: usize) -> Self {
        Self { port, clients, keep_alive: true, timeout: Duration::from_secs(20) }
    }

    /// One connection for each request.
    pub fn closing(mut self) -> Self {
        self.keep_alive = false;
        self
    }

    /// Every client asks for what `path(client, turn)` says until `duration` is over, and at least once.
    pub fn run_for(&self, duration: Duration, path: impl Fn(usize, usize) -> String + Sync) -> Record {
        self.run(|client, turn, elapsed| {
            if turn > 0 && elapsed >= duration {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(path(client, turn))
            }
        })
    }

    /// Every client asks this many times.
    pub fn run_times(&self, times: usize, path: impl Fn(usize, usize) -> String + Sync) -> Record {
        self.run(
            |client, turn, _| {
                if turn >= times { ControlFlow::Break(()) } else { ControlFlow::Continue(path(client, turn)) }
            },
        )
    }

    /// Every client asks for what `next(client, turn, time since the beginning)` says, until it says stop.
    pub fn run(&self, next: impl Fn(usize, usize, Duration) -> ControlFlow<(), String> + Sync) -> Record {
        let barrier = Barrier::new(self.clients + 1);
        thread::scope(|scope| {
            let clients: Vec<_> = (0..self.clients)
                .map(|client| {
                    let (barrier, next) = (&barrier, &next);
                    scope.spawn(move || {
                        barrier.wait();
                        self.ask_on(client, next)
                    })
                })
                .collect();
            let began = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
            barrier.wait();
            let answers =
                clients.into_iter().flat_map(|client| client.join().expect("a client does not panic")).collect();
            Record { began, answers }
        })
    }

    fn ask_on(&self, client: usize, next: impl Fn(usize, usize, Duration) -> ControlFlow<(), String>) -> Vec<Answer> {
        let begin = Instant::now();
        let now = || u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut connection = Client::new(self.port, self.keep_alive, self.timeout);
        let mut answers = Vec::new();
        while let ControlFlow::Continue(path) = next(client, answers.len(), begin.elapsed()) {
            let start = now();
            let (outcome, body) = outcome_of(connection.get(&path));
            answers.push(Answer { client, start, end: now(), outcome, body });
            // Where one answer does not come, the next ones may not either, and a test has to end.
            if outcome == Outcome::TimedOut {
                break;
            }
        }
        answers
    }
}

/// The outcome of a response, or of an error, and its text.
pub(crate) fn outcome_of(response: Result<Response>) -> (Outcome, String) {
    match response {
        Ok(response) => (Outcome::Status(response.status), response.text()),
        // A read that reaches its time limit reports WouldBlock on Unix.
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            (Outcome::TimedOut, error.to_string())
        }
        Err(error) => (Outcome::Broken, error.to_string()),
    }
}
