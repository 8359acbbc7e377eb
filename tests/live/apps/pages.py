"""Published pages: mod_python.publisher calls these functions with the fields of forms."""

import decimal

import support
from mod_python import Cookie, util


def index(req, name="nobody"):
    req.content_type = "text/html"
    return "<p>%s %s</p>" % (name, req.headers_in.get("Accept-Language"))


def add(req):
    """mod_python 3.5 gives the fields of a posted form as bytes."""
    support.visitor.set("adder")
    numbers = [value.decode() for value in req.form.getlist(b"numbers")]
    with decimal.localcontext() as context:
        context.prec = int(req.form.getfirst(b"precision", "6"))
        total = sum(decimal.Decimal(number) for number in numbers)
    req.content_type = "text/plain"
    return "%s %s %s" % (total, decimal.getcontext().prec, support.in_pool(support.visitor.get))


def remember(req, name):
    Cookie.add_cookie(req, "remembered", name)
    req.content_type = "text/plain"
    return "remembered " + name


def recall(req):
    cookies = Cookie.get_cookies(req)
    req.content_type = "text/plain"
    return "recalled %s" % (cookies["remembered"].value if "remembered" in cookies else "nobody")


def away(req):
    util.redirect(req, "/pages/?name=back")


def fields(req):
    """The form as it is, in its order."""
    req.content_type = "text/plain"
    return " ".join("%s=%s" % (field.name, field.value) for field in req.form.list)


class Shelf:
    """Attributes are published too."""

    def __call__(self, req, name="nothing"):
        return "shelf of %s" % name

    def book(self, req, title="untitled"):
        return "book %s" % title


shelf = Shelf()
