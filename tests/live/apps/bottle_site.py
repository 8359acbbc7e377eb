"""A guest book in Bottle: its request is thread-local, its cookies are signed, its templates its own."""

import decimal

import bottle
import support

book = bottle.Bottle()
SECRET = "not so secret"
PAGE = """<!DOCTYPE html>
<h1>{{name}}</h1>
% for number, line in enumerate(lines):
<p>{{number}}: {{line}}</p>
% end
"""


@book.hook("before_request")
def begin():
    support.visitor.set(bottle.request.get_cookie("guest", secret=SECRET) or "nobody")
    support.collected.set([])
    # The request is one object for all threads, and each sees its own data in it.
    bottle.request.environ["bed.begun"] = bottle.request.path


@book.get("/")
def index():
    return bottle.template(PAGE, name=support.visitor.get(), lines=[bottle.request.environ["bed.begun"], bottle.request.query.q])


@book.post("/sign")
def sign():
    name = bottle.request.forms.getunicode("name")
    bottle.response.set_cookie("guest", name, secret=SECRET)
    bottle.response.headers["X-Guest"] = "signed"
    return {"was": support.visitor.get(), "is": name}


@book.get("/sum/<amount>/<precision:int>")
def sum_up(amount, precision):
    with decimal.localcontext() as context:
        context.prec = precision
        with decimal.localcontext() as inner:
            inner.prec = precision + 4
            finer = decimal.Decimal(amount).sqrt()
        coarse = decimal.Decimal(amount).sqrt()
    support.log.info("sum for %s", bottle.request.path)
    return {"coarse": str(coarse), "finer": str(finer), "usual": str(decimal.Decimal(amount).sqrt()), "lines": support.collected.get()}


@book.get("/stream/<name>")
def stream(name):
    bottle.response.content_type = "text/plain"
    for number in range(5):
        yield "%d %s %s\n" % (number, name, bottle.request.path)


@book.get("/away")
def away():
    bottle.redirect("/bottle/?q=back")


@book.get("/gone")
def gone():
    bottle.abort(410, "gone, %s" % support.visitor.get())


application = book
