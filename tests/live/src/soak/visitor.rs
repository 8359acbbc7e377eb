//! One client, which may be slow or hang up.

use std::io::{BufReader, Read, Result, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::ask::{Ask, Manner};
use super::count::Tally;
use super::ground::{CLIENTS, Parts};
use super::mix::{self, Numbers};
use crate::http::{Client, Response, read_response};
use crate::subject::subject;

/// No page takes that long; a server that takes longer hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Of the clients, the last ones.
const SLOW: usize = 4;
const LEAVING: usize = 4;
/// How a slow client sends and reads.
const PIECE: usize = 16 * 1024;
const PAUSE: Duration = Duration::from_millis(4);
/// A client that hangs up has read at most this.
const SOME: usize = 10_000;

/// The state that all clients share.
pub(crate) struct Site {
    pub port: AtomicU16,
    pub over: AtomicBool,
    pub begin: Instant,
    pub tally: Mutex<Tally>,
    /// All clients ask for this kind, if there is one.
    pub only: Option<String>,
}

/// One of them.
struct Visitor<'a> {
    numbers: Numbers,
    site: &'a Site,
    /// The session's cookie, and how often it has been counted; unknown after an answer that never came.
    cookie: Option<String>,
    count: Option<u64>,
}

/// Asks until it is over.
pub(crate) fn visit(client: usize, site: &Site) {
    let kinds = mix::kinds(Parts::of(subject()), site.only.as_deref());
    let odd = if site.only.is_some() { CLIENTS } else { CLIENTS - LEAVING - SLOW };
    let mut visitor = Visitor { numbers: Numbers::new(client), site, cookie: None, count: Some(0) };
    let port = || site.port.load(Ordering::Relaxed);
    let (mut known, keep) = (port(), client % 2 == 0);
    let mut connection = Client::new(known, keep, PATIENCE);
    while !site.over.load(Ordering::Relaxed) {
        if port() != known {
            known = port();
            connection = Client::new(known, keep, PATIENCE);
        }
        let numbers = &mut visitor.numbers;
        if client >= odd + SLOW {
            let ask = mix::leaving(numbers, client);
            // Whatever becomes of it, nobody is there to see.
            let _ = leave(known, &ask);
            site.tally.lock().unwrap_or_else(PoisonError::into_inner).left(&ask);
            thread::sleep(20 * PAUSE);
        } else if client >= odd {
            let ask = mix::slow(numbers, client);
            let response = slowly(known, &ask);
            visitor.judge(&ask, response);
        } else {
            let ask = kinds[numbers.below(kinds.len())](numbers, client);
            let ask = visitor.with_cookie(ask);
            let response = connection.send(&ask.request());
            visitor.judge(&ask, response);
        }
    }
}

impl Visitor<'_> {
    fn with_cookie(&self, ask: Ask) -> Ask {
        match &self.cookie {
            Some(cookie) if ask.kind == "session" => ask.header("Cookie", cookie.clone()),
            _ => ask,
        }
    }

    fn judge(&mut self, ask: &Ask, response: Result<Response>) {
        let right = match &response {
            Ok(response) if ask.kind == "session" => ask.is_right(response) && self.is_next(response),
            Ok(response) => ask.is_right(response),
            Err(_) => false,
        };
        if response.is_err() && ask.kind == "session" {
            self.count = None;
        }
        if self.site.over.load(Ordering::Relaxed) && response.is_err() {
            // A server that had to be ended by force.
            return;
        }
        let second = usize::try_from(self.site.begin.elapsed().as_secs()).unwrap_or(usize::MAX);
        let mut tally = self.site.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.judge(ask, second, response, right);
    }

    /// Whether a session has gone on from where it was.
    fn is_next(&mut self, response: &Response) -> bool {
        if let Some((_, cookie)) = response.headers.iter().find(|(name, _)| name == "set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default().to_owned();
            self.cookie = Some(pair);
        }
        let text = response.text();
        let number = text.trim_start_matches("session").trim();
        if number.is_empty() || response.status != 200 {
            return true;
        }
        let Ok(number) = number.parse::<u64>() else {
            return false;
        };
        let before = self.count.replace(number);
        before.is_none_or(|before| number == before + 1)
    }
}

/// Reads in small pieces, with a pause after each.
struct Sip(TcpStream);

impl Read for Sip {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let piece = buffer.len().min(PIECE);
        let read = self.0.read(&mut buffer[..piece])?;
        thread::sleep(PAUSE);
        Ok(read)
    }
}

fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn slowly(port: u16, ask: &Ask) -> Result<Response> {
    let mut stream = connect(port)?;
    let text = ask.request().text(false);
    // The first line in the midst of a word.
    let (first, rest) = text.as_bytes().split_at(9);
    for piece in std::iter::once(first).chain(rest.chunks(PIECE)) {
        stream.write_all(piece)?;
        thread::sleep(PAUSE);
    }
    read_response(&mut BufReader::with_capacity(PIECE, Sip(stream)))
}

fn leave(port: u16, ask: &Ask) -> Result<()> {
    let mut stream = connect(port)?;
    let text = ask.request().text(false);
    if ask.manner == Manner::LeavesInRequest {
        return stream.write_all(&text.as_bytes()[..text.len() / 2]);
    }
    stream.write_all(text.as_bytes())?;
    if ask.kind == "long answer" {
        let mut some = vec![0; SOME];
        stream.read_exact(&mut some)?;
    }
    Ok(())
}
