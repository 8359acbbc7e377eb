//! Which requests a visitor makes.

use super::ask::{Ask, Body, Manner};
use super::ground::{PAGES, PATHS, Parts, SCRIPTS, TEXT, WILD};

/// Numbers that look random, the same ones in every run.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: usize) -> Self {
        Self((seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }
}

type Kind = fn(&mut Numbers, client: usize) -> Ask;

/// The kinds of requests, each as often as the number here among a hundred or so; or those of this name alone.
pub(crate) fn kinds(parts: Parts, only: Option<&str>) -> Vec<Kind> {
    let all: [(bool, usize, &str, Kind); 19] = [
        (true, 12, "plain", plain),
        (parts.importer, 15, "equal names", page),
        (parts.importer, 6, "PythonPath", own_path),
        (parts.wild, 4, "wildcard section", wild),
        (parts.publisher, 10, "publisher", form),
        (parts.psp, 6, "psp", psp),
        (true, 3, "cgihandler", script),
        (true, 6, "computed status", status),
        (true, 4, "SERVER_RETURN", raises),
        (true, 1, "exception", fails),
        (true, 6, "register_cleanup", cleanup),
        (true, 6, "session", session),
        (true, 8, "seven phases", phases),
        (true, 5, "add_handler", adds),
        (true, 6, "output filter", filtered),
        (true, 5, "authentication", member),
        (true, 1, "authentication", stranger),
        (true, 2, "large post", post),
        (true, 2, "long answer", big),
    ];
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let wanted = all.into_iter().filter(|(there, _, name, _)| *there && wanted(name));
    wanted.flat_map(|(_, weight, _, kind)| std::iter::repeat_n(kind, weight)).collect()
}

/// A request of the few slow clients.
pub(crate) fn slow(numbers: &mut Numbers, client: usize) -> Ask {
    let kinds: [Kind; 4] = [post, big, phases, plain];
    kinds[numbers.below(kinds.len())](numbers, client).manner(Manner::Slow)
}

/// A request of those that hang up.
pub(crate) fn leaving(numbers: &mut Numbers, client: usize) -> Ask {
    match numbers.below(4) {
        0 => post(numbers, client).manner(Manner::LeavesInRequest),
        1 => plain(numbers, client).manner(Manner::LeavesInAnswer),
        2 => filtered(numbers, client).manner(Manner::LeavesInAnswer),
        _ => big(numbers, client).manner(Manner::LeavesInAnswer),
    }
}

fn plain(numbers: &mut Numbers, client: usize) -> Ask {
    let word = format!("c{client}n{}", numbers.below(1000));
    Ask::get("plain", format!("/plain?{word}"), Body::Is(format!("plain {word}").into()))
}

fn page(numbers: &mut Numbers, _client: usize) -> Ask {
    in_directory("equal names", PAGES[numbers.below(PAGES.len())])
}

fn wild(numbers: &mut Numbers, _client: usize) -> Ask {
    in_directory("wildcard section", WILD[numbers.below(WILD.len())])
}

fn own_path(numbers: &mut Numbers, _client: usize) -> Ask {
    in_directory("PythonPath", PATHS[numbers.below(PATHS.len())])
}

fn in_directory(kind: &'static str, name: &str) -> Ask {
    Ask::get(kind, format!("/{name}/x"), Body::Is(format!("index {name} {name}").into()))
}

fn status(numbers: &mut Numbers, _client: usize) -> Ask {
    // The interpreter shares small numbers; these it makes.
    let status = [404, 500, 403, 410][numbers.below(4)];
    Ask::get("computed status", format!("/status?{status}"), Body::Any).status(status)
}

fn raises(numbers: &mut Numbers, _client: usize) -> Ask {
    let status = [404, 403, 503][numbers.below(3)];
    Ask::get("SERVER_RETURN", format!("/raises?{status}"), Body::Any).status(status)
}

fn fails(_numbers: &mut Numbers, _client: usize) -> Ask {
    Ask::get("exception", "/fails", Body::Any).status(500)
}

fn cleanup(_numbers: &mut Numbers, _client: usize) -> Ask {
    Ask::get("register_cleanup", "/cleanup?x", Body::Pending)
}

/// The visitor adds its cookie, and knows the count.
fn session(_numbers: &mut Numbers, _client: usize) -> Ask {
    Ask::get("session", "/session", Body::Begins("session"))
}

fn phases(_numbers: &mut Numbers, _client: usize) -> Ask {
    // The first one runs where the second does, or not at all: mod_python's own.
    Ask::get(
        "seven phases",
        "/phases",
        Body::Ends("PythonHeaderParserHandler PythonAccessHandler PythonTypeHandler PythonFixupHandler"),
    )
}

fn adds(_numbers: &mut Numbers, _client: usize) -> Ask {
    Ask::get("add_handler", "/adds", Body::Is("PythonFixupHandler".into()))
}

fn filtered(_numbers: &mut Numbers, _client: usize) -> Ask {
    Ask::get("output filter", "/filtered/page.txt", Body::Is(TEXT.trim().to_uppercase().into()))
}

fn member(_numbers: &mut Numbers, client: usize) -> Ask {
    let (name, backwards) = (format!("ann{client}"), format!("ann{client}").chars().rev().collect::<String>());
    Ask::get("authentication", "/member", Body::Is(format!("member {name}").into()))
        .header("Authorization", format!("Basic {}", base64(&format!("{name}:{backwards}"))))
}

fn stranger(_numbers: &mut Numbers, client: usize) -> Ask {
    Ask::get("authentication", "/member", Body::Any)
        .header("Authorization", format!("Basic {}", base64(&format!("ann{client}:wrong"))))
        .status(401)
}

fn form(numbers: &mut Numbers, client: usize) -> Ask {
    let number = numbers.below(1000);
    let ask = |path: String| Ask::get("publisher", path, Body::Is(format!("form name{client} {number}").into()));
    let fields = format!("name=name{client}&number={number}");
    if numbers.below(2) == 0 {
        ask(format!("/pub/forms/show?{fields}"))
    } else {
        ask("/pub/forms/posted".into()).post(fields)
    }
}

fn psp(_numbers: &mut Numbers, client: usize) -> Ask {
    Ask::get("psp", format!("/psp/page.psp?name=name{client}"), Body::Is(format!("psp name{client} 45").into()))
}

fn script(numbers: &mut Numbers, _client: usize) -> Ask {
    let number = numbers.below(SCRIPTS);
    Ask::get("cgihandler", format!("/scripts/script{number}.py"), Body::Is(format!("script {number}").into()))
}

fn post(numbers: &mut Numbers, client: usize) -> Ask {
    let body = format!("{client:02}-{:06}\n", numbers.below(1_000_000)).repeat(1 + numbers.below(50_000));
    let wanted = format!("{} {}", body.len(), adler32(body.as_bytes()));
    Ask::get("large post", "/post", Body::Is(wanted.into())).post(body)
}

fn big(numbers: &mut Numbers, _client: usize) -> Ask {
    let digit = char::from(b'0' + u8::try_from(numbers.below(10)).unwrap_or(0));
    Ask::get("long answer", format!("/big?{digit}"), Body::Repeats(64 * 4096, digit))
}

fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % MODULUS;
        (a, (b + a) % MODULUS)
    });
    b << 16 | a
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, index| bits << 8 | usize::from(chunk.get(index).copied().unwrap_or(0)));
        for index in 0..4 {
            let digit = DIGITS[bits >> (18 - 6 * index) & 63];
            out.push(if index > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{adler32, base64};

    #[test]
    fn sums_and_digits_are_the_usual_ones() {
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
        assert_eq!(["a", "ab", "abc"].map(base64), ["YQ==", "YWI=", "YWJj"]);
    }
}
