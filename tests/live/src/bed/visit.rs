//! One visitor's requests, step by step, and the parts of two answers that have to be equal.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Result};

use crate::http::{Client, Request, Response};

/// One request of a visit.
#[derive(Clone, Debug)]
pub struct Step {
    method: &'static str,
    path: String,
    form: String,
}

/// One visitor's requests. An answer depends on the visit alone.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Which site it is.
    pub site: &'static str,
    language: &'static str,
    steps: Vec<Step>,
}

impl Visit {
    /// Nothing yet.
    pub fn new(site: &'static str, language: &'static str) -> Self {
        Self { site, language, steps: Vec::new() }
    }

    /// Asks for a page.
    pub fn get(mut self, path: impl Into<String>) -> Self {
        self.steps.push(Step { method: "GET", path: path.into(), form: String::new() });
        self
    }

    /// Sends a form.
    pub fn post(mut self, path: impl Into<String>, form: impl Into<String>) -> Self {
        self.steps.push(Step { method: "POST", path: path.into(), form: form.into() });
        self
    }

    /// Whether the oracle asks each request of it of a process of its own: for pages that show the traces of others.
    pub fn is_lonely(&self) -> bool {
        self.site == super::visits::NESTED
    }

    /// How many requests it is.
    pub fn length(&self) -> usize {
        self.steps.len()
    }

    /// The request of a step, for messages.
    pub fn describe(&self, step: usize) -> String {
        self.steps
            .get(step)
            .map_or_else(String::new, |step| format!("{} {} {} ({})", step.method, step.path, step.form, self.language))
    }

    /// Goes through the visit, with cookies of its own, and tells `see` of each answer until that says stop.
    pub fn walk(&self, client: &mut Client, mut see: impl FnMut(usize, Result<Seen>) -> bool) {
        let mut cookies = BTreeMap::new();
        for (index, step) in self.steps.iter().enumerate() {
            let headers = self.headers(step, &cookies);
            let request = Request { method: step.method, path: &step.path, headers: &headers, body: &step.form };
            let response = client.send(&request);
            if let Ok(response) = &response {
                keep_cookies(response, &mut cookies);
            }
            if !see(index, response.map(|response| Seen::of(&response))) {
                return;
            }
        }
    }

    fn headers(&self, step: &Step, cookies: &BTreeMap<String, String>) -> Vec<(String, String)> {
        let mut headers = vec![("Accept-Language".to_owned(), self.language.to_owned())];
        if !step.form.is_empty() {
            headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        }
        if !cookies.is_empty() {
            let pairs: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            headers.push(("Cookie".to_owned(), pairs.join("; ")));
        }
        if let Some(token) = cookies.get("csrftoken") {
            headers.push(("X-CSRFToken".to_owned(), token.clone()));
        }
        headers
    }
}

fn keep_cookies(response: &Response, cookies: &mut BTreeMap<String, String>) {
    for (_, value) in response.headers.iter().filter(|(name, _)| name == "set-cookie") {
        let Some((name, value)) = value.split(';').next().and_then(|pair| pair.split_once('=')) else {
            continue;
        };
        if matches!(value, "" | "\"\"") {
            cookies.remove(name);
        } else {
            cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// The parts of two answers to one request that have to be equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The status.
    pub status: u16,
    /// Headers that an application sets, without what is new each time.
    pub headers: Vec<String>,
    /// The body, likewise.
    pub body: String,
}

impl Seen {
    fn of(response: &Response) -> Self {
        const COMPARED: [&str; 5] = ["content-type", "location", "content-language", "vary", "allow"];
        let mut headers: Vec<String> = response
            .headers
            .iter()
            .filter_map(|(name, value)| match name.as_str() {
                "set-cookie" => Some(format!("{name}: {}", without_secrets(value))),
                _ if COMPARED.contains(&name.as_str()) || name.starts_with("x-") => Some(format!("{name}: {value}")),
                _ => None,
            })
            .collect();
        headers.sort();
        Self { status: response.status, headers, body: without_tokens(&response.text()) }
    }
}

/// A cookie without its value and its date: signatures have the time in them.
fn without_secrets(cookie: &str) -> String {
    let mut parts = cookie.split("; ");
    let pair = parts.next().unwrap_or_default();
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let value = if matches!(value, "" | "\"\"") { "" } else { "*" };
    let kept: Vec<_> = parts.filter(|part| !part.to_ascii_lowercase().starts_with("expires=")).collect();
    format!("{name}={value}; {}", kept.join("; "))
}

/// A page without its tokens against forged forms, which are random.
fn without_tokens(body: &str) -> String {
    const BEFORE: &str = "name=\"csrfmiddlewaretoken\" value=\"";
    let mut pieces = body.split(BEFORE);
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push_str(BEFORE);
        text.push_str(piece.find('"').map_or(piece, |end| &piece[end..]));
    }
    text
}

/// Whether the answer did not come in time.
pub fn is_late(error: &std::io::Error) -> bool {
    // A read that reaches its time limit reports WouldBlock on Unix.
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
