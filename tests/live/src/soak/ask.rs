//! One request, and what the answer has to be.

use std::borrow::Cow;

use crate::http::{Request, Response};

/// The body to expect.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// This, but for white space at its ends.
    Is(Cow<'static, str>),
    /// It begins like this.
    Begins(&'static str),
    /// It ends like this, but for white space.
    Ends(&'static str),
    /// This many of one character.
    Repeats(usize, char),
    /// `pending N` with an N of no more than there are requests at once.
    Pending,
    /// Nothing in particular: httpd's own page of an error.
    Any,
}

/// How the client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As clients do.
    Plain,
    /// Sends and reads in small pieces, with a pause after each.
    Slow,
    /// Is gone when half of the request is sent.
    LeavesInRequest,
    /// Is gone when some of the answer has come, or none.
    LeavesInAnswer,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// The kind of page.
    pub kind: &'static str,
    pub method: &'static str,
    pub path: Cow<'static, str>,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub status: u16,
    pub wanted: Body,
    pub manner: Manner,
}

/// No more cleanups than that are waiting to run: each belongs to a request at work.
const PENDING: i64 = 64;

impl Ask {
    /// A GET that is answered by a 200.
    pub(crate) fn get(kind: &'static str, path: impl Into<Cow<'static, str>>, wanted: Body) -> Self {
        Self {
            kind,
            method: "GET",
            path: path.into(),
            headers: Vec::new(),
            body: String::new(),
            status: 200,
            wanted,
            manner: Manner::Plain,
        }
    }

    /// The same as a POST.
    pub(crate) fn post(mut self, body: String) -> Self {
        (self.method, self.body) = ("POST", body);
        self
    }

    /// With one header more.
    pub(crate) fn header(mut self, name: &str, value: String) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }

    /// With this status instead of 200.
    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// From a client that behaves like this.
    pub(crate) fn manner(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }

    pub(crate) fn request(&self) -> Request<'_> {
        Request { method: self.method, path: &self.path, headers: &self.headers, body: &self.body }
    }

    /// Whether the body is what it has to be.
    pub(crate) fn is_right(&self, response: &Response) -> bool {
        let text = response.text();
        match &self.wanted {
            Body::Is(wanted) => text.trim() == wanted.as_ref(),
            Body::Begins(wanted) => text.starts_with(wanted),
            Body::Ends(wanted) => text.trim_end().ends_with(wanted),
            Body::Repeats(times, character) => text.len() == *times && text.chars().all(|one| one == *character),
            Body::Pending => text
                .strip_prefix("pending ")
                .and_then(|number| number.parse::<i64>().ok())
                .is_some_and(|number| (1..=PENDING).contains(&number)),
            Body::Any => true,
        }
    }
}
