//! As much of an HTTP/1.1 client as the tests need: requests over one connection that may be kept.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A request to send.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// GET or POST.
    pub method: &'a str,
    /// The path, with its query.
    pub path: &'a str,
    /// More headers than those every request has.
    pub headers: &'a [(String, String)],
    /// The body, or nothing.
    pub body: &'a str,
}

impl Request<'_> {
    /// The request as sent over the connection.
    pub(crate) fn text(&self, keep_alive: bool) -> String {
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let Request { method, path, headers, body } = self;
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: live.test\r\nConnection: {connection}\r\n");
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.extend(headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
        text.push_str("\r\n");
        text.push_str(body);
        text
    }
}

/// An answer of the server.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers in their order, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, chunks put together.
    pub body: Vec<u8>,
    keep: bool,
}

impl Response {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The process that has answered, if the body says it, as that of `who.py` and `hello.py` does.
    pub fn pid(&self) -> Option<u32> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        u32::try_from(body["pid"].as_u64()?).ok()
    }
}

/// One client. Its connection is opened when first needed.
pub struct Client {
    port: u16,
    keep_alive: bool,
    timeout: Duration,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    /// A client of the server on this port; `timeout` bounds each read.
    pub fn new(port: u16, keep_alive: bool, timeout: Duration) -> Self {
        Self { port, keep_alive, timeout, stream: None }
    }

    /// One GET and its answer.
    pub fn get(&mut self, path: &str) -> Result<Response> {
        self.send(&Request { method: "GET", path, headers: &[], body: "" })
    }

    /// One request and its answer.
    pub fn send(&mut self, request: &Request<'_>) -> Result<Response> {
        if let Some(stream) = self.stream.take() {
            match self.exchange(stream, request) {
                // The server may close a kept connection at any time, and a client then asks again on a new one.
                Err(error) if closed_unanswered(&error) => {}
                answer => return answer,
            }
        }
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        self.exchange(BufReader::new(stream), request)
    }

    fn exchange(&mut self, mut stream: BufReader<TcpStream>, request: &Request<'_>) -> Result<Response> {
        stream.get_mut().write_all(request.text(self.keep_alive).as_bytes())?;
        let response = read_response(&mut stream)?;
        if response.keep && self.keep_alive {
            self.stream = Some(stream);
        }
        Ok(response)
    }
}

/// One request on a connection of its own.
pub fn get(port: u16, path: &str) -> Result<Response> {
    Client::new(port, false, Duration::from_secs(20)).get(path)
}

fn closed_unanswered(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotConnected | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("malformed answer: {what}"))
}

fn read_line(stream: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(Error::from(ErrorKind::UnexpectedEof));
    }
    Ok(line.trim_end().to_owned())
}

pub(crate) fn read_response(stream: &mut impl BufRead) -> Result<Response> {
    // Not one byte of an answer is another case than an answer that breaks off.
    if stream.fill_buf()?.is_empty() {
        return Err(Error::from(ErrorKind::NotConnected));
    }
    let status = read_line(stream)?
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| malformed("status line"))?;
    let (mut length, mut chunked, mut keep) = (None, false, true);
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        match (name.as_str(), value.to_ascii_lowercase().as_str()) {
            ("content-length", value) => length = Some(value.parse().map_err(|_| malformed("length"))?),
            ("transfer-encoding", "chunked") => chunked = true,
            ("connection", "close") => keep = false,
            _ => {}
        }
        headers.push((name, value.to_owned()));
    }
    let mut body = Vec::new();
    if chunked {
        read_chunks(stream, &mut body)?;
    } else if let Some(length) = length {
        body.resize(length, 0);
        stream.read_exact(&mut body)?;
    } else {
        keep = false;
        stream.read_to_end(&mut body)?;
    }
    Ok(Response { status, headers, body, keep })
}

fn read_chunks(stream: &mut impl BufRead, body: &mut Vec<u8>) -> Result<()> {
    loop {
        let size = read_line(stream)?;
        let size =
            u64::from_str_radix(size.split(';').next().unwrap_or_default(), 16).map_err(|_| malformed("chunk"))?;
        if stream.take(size).read_to_end(body)? as u64 != size {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        // The line end after a chunk, or the empty trailer after the last.
        read_line(stream)?;
        if size == 0 {
            return Ok(());
        }
    }
}
