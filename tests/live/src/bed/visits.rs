//! The visitors.

use super::visit::Visit;

/// The site of requests within requests and of what requests leave behind.
pub const NESTED: &str = "nested";

/// The oracle needs a process for each of their requests.
const NESTED_VISITORS: usize = 2;

const LANGUAGES: [&str; 6] = ["en", "de-DE,de;q=0.8", "fr;q=0.9,en;q=0.1", "pl", "ja,en;q=0.5", "xx"];
const ROUNDINGS: [&str; 4] = ["down", "up", "half-even", "half-up"];

/// All of them.
pub fn all() -> Vec<Visit> {
    let mut visits = Vec::new();
    for (visitor, language) in LANGUAGES.into_iter().enumerate() {
        visits.push(flask_shopping(visitor, language));
        visits.push(django_shopping(visitor, language));
        visits.push(flask_features(visitor, language));
        visits.push(django_features(visitor, language));
        visits.push(django_forms(visitor, language));
        visits.push(bottle(visitor, language));
        visits.push(cherrypy(visitor, language));
        visits.push(falcon(visitor, language));
        visits.push(pages(visitor, language));
    }
    visits.extend((0..NESTED_VISITORS).map(nested));
    visits
}

fn flask_shopping(visitor: usize, language: &'static str) -> Visit {
    let good = visitor % 6 + 1;
    Visit::new("flask", language)
        .get("/flask/")
        .post("/flask/add", "good=1&number=1")
        .post("/flask/login", format!("user=ann{visitor}"))
        .get("/flask/cart")
        .post("/flask/add", format!("good={good}&number={}", visitor + 1))
        .post("/flask/add", "good=2&number=1")
        .post("/flask/add", "good=77&number=1")
        .get("/flask/cart")
        .post("/flask/order", "go=1")
        .post("/flask/note", format!("user=ann{visitor}&text=note+{visitor}+%C3%A4%26%3C"))
        .get("/flask/")
        .get("/flask/logout")
        .get("/flask/cart")
}

fn flask_features(visitor: usize, language: &'static str) -> Visit {
    let rounding = ROUNDINGS[visitor % ROUNDINGS.len()];
    Visit::new("flask", language)
        .get(format!("/flask/money/{}.55/{}/{rounding}", 100 + visitor, visitor % 7 + 4))
        .get(format!("/flask/async/eve{visitor}"))
        .get(format!("/flask/?name=%3C{visitor}%3E"))
        .get(format!("/flask/pool/eve{visitor}"))
        .get(format!("/flask/c/eve{visitor}/{}", visitor % 3 + 1))
        .get(format!("/flask/warn/eve{visitor}"))
        .get(format!("/flask/stream/eve{visitor}"))
        .get(format!("/flask/fails/eve{visitor}"))
        .get("/flask/nowhere")
        .get(format!("/flask/money/{}/{}/{rounding}", visitor + 1, visitor % 5 + 9))
}

fn django_shopping(visitor: usize, language: &'static str) -> Visit {
    Visit::new("django", language)
        .get("/django/")
        .get("/django/cart")
        .post("/django/login", format!("user=user{visitor}&password=wrong"))
        .post("/django/login", format!("user=user{visitor}&password=secret{visitor}"))
        .get("/django/cart")
        .post("/django/cart", format!("good={}&number={}", visitor % 6 + 1, visitor + 2))
        .post("/django/cart", "good=3&number=1")
        .post("/django/cart", "good=99&number=1")
        .get("/django/cart")
        .post("/django/order", "go=1")
        .get("/django/")
        .get("/django/logout")
        .get("/django/cart")
}

fn django_features(visitor: usize, language: &'static str) -> Visit {
    let rounding = ROUNDINGS[visitor % ROUNDINGS.len()];
    let zone = ["Europe/Berlin", "Asia/Tokyo", "America/New_York"][visitor % 3];
    Visit::new("django", language)
        .get(format!("/django/money/{}.55/{}/{rounding}", 1000 + visitor, visitor % 7 + 4))
        .get(format!("/django/async/bob{visitor}"))
        .get("/django/statistics")
        .get(format!("/django/zone/{zone}"))
        .get(format!("/django/mail/bob{visitor}"))
        .get(format!("/django/warn/bob{visitor}"))
        .get(format!("/django/c/bob{visitor}/{}", visitor % 3 + 1))
        .get(format!("/django/stream/bob{visitor}"))
        .get(format!("/django/fails/bob{visitor}"))
        .get("/django/nowhere")
        .get("/django/cart/")
}

fn django_forms(visitor: usize, language: &'static str) -> Visit {
    Visit::new("django", language)
        .post("/django/form", "email=a%40example.test")
        .get("/django/form")
        .post("/django/form", "email=nobody&number=100&price=1.234&day=never")
        .post(
            "/django/form",
            format!("email=a{visitor}%40example.test&number={}&price=1.2&day=2020-02-29", visitor + 1),
        )
        .get("/django/admin/login/")
        .post("/django/admin/login/", "username=boss&password=wrong")
        .post("/django/admin/login/?next=/django/admin/", "username=boss&password=bosses")
        .get("/django/admin/")
        .get("/django/admin/auth/user/?o=1")
        .get("/django/admin/auth/user/add/")
        .get("/django/admin/logout/")
}

fn bottle(visitor: usize, language: &'static str) -> Visit {
    Visit::new("bottle", language)
        .get(format!("/bottle/?q=before{visitor}"))
        .post("/bottle/sign", format!("name=guest{visitor}"))
        .get(format!("/bottle/?q=%3Cq{visitor}%3E"))
        .get(format!("/bottle/sum/{}/{}", visitor + 2, visitor % 5 + 4))
        .get(format!("/bottle/stream/guest{visitor}"))
        .get("/bottle/gone")
        .get("/bottle/away")
        .post("/bottle/sign", format!("name=other{visitor}"))
        .get("/bottle/")
        .get("/bottle/nowhere")
}

fn cherrypy(visitor: usize, language: &'static str) -> Visit {
    let rounding = ROUNDINGS[visitor % ROUNDINGS.len()];
    Visit::new("cherrypy", language)
        .get(format!("/cherrypy/?name=kim{visitor}&more={visitor}"))
        .post("/cherrypy/", format!("name=kim{visitor}&text=posted"))
        .get(format!(
            "/cherrypy/money/share?name=kim{visitor}&amount=10.{visitor}&precision={}&rounding={rounding}",
            visitor % 5 + 4
        ))
        .get(format!("/cherrypy/worked?name=kim{visitor}"))
        .get(format!("/cherrypy/stream?name=kim{visitor}"))
        .get(format!("/cherrypy/away?name=kim{visitor}"))
        .get(format!("/cherrypy/refused?name=kim{visitor}"))
        .get(format!("/cherrypy/tagged?name=kim{visitor}"))
        .get("/cherrypy/nowhere")
}

fn falcon(visitor: usize, language: &'static str) -> Visit {
    Visit::new("falcon", language)
        .get(format!("/falcon/matrix/{}?name=lee{visitor}", visitor % 6 + 2))
        .post(format!("/falcon/transformed?name=lee{visitor}"), format!("tea={visitor}.5&coffee=3&cake=2"))
        .get(format!("/falcon/parsed/{visitor}"))
        .get(format!("/falcon/gathered/lee{visitor}?name=own{visitor}"))
        .get(format!("/falcon/failing?name=lee{visitor}"))
        .get("/falcon/nowhere")
}

fn pages(visitor: usize, language: &'static str) -> Visit {
    Visit::new("pages", language)
        .get(format!("/pages/pages/?name=pat{visitor}"))
        .get("/pages/pages/recall")
        .get(format!("/pages/pages/remember?name=pat{visitor}"))
        .get("/pages/pages/recall")
        .post("/pages/pages/add", format!("numbers=1.5&numbers={visitor}.123456789&precision={}", visitor % 4 + 3))
        .post("/pages/pages/fields", format!("b={visitor}&a=2&b=3"))
        .get(format!("/pages/pages/shelf/book?title=t{visitor}"))
        .get(format!("/pages/pages/shelf?name=t{visitor}"))
        .get("/pages/pages/away")
        .get(format!("/psp/page.psp?name=pat{visitor}"))
        .post("/psp/page.psp", format!("name=posted{visitor}"))
        .get("/pages/pages/nowhere")
}

fn nested(visitor: usize) -> Visit {
    let mut visit = Visit::new(NESTED, "en")
        .get(format!("/nested/plain?p{visitor}"))
        .get(format!("/nested/sets?s{visitor}"))
        .get(format!("/nested/inner?i{visitor}"))
        .get(format!("/nested/filtered?f{visitor}"));
    for outer in ["nested", "other"] {
        for inner in ["nested", "other"] {
            visit = visit
                .get(format!("/{outer}/redirects?/{inner}/inner?{visitor}"))
                .get(format!("/{outer}/includes?/{inner}/inner?{visitor}"))
                .get(format!("/{outer}/redirects?/{inner}/filtered?{visitor}"))
                .get(format!("/{outer}/redirects?/{inner}/redirects?/{outer}/sets?{visitor}"))
                .get(format!("/{outer}/redirects?/{inner}/includes?/{outer}/plain?{visitor}"));
        }
    }
    visit
}
