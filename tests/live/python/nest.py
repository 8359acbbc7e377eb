"""Requests within requests: redirects, and a filter around another handler's output."""

from mod_python import apache


def redirect(req):
    req.internal_redirect(req.args)
    return apache.OK


# mod_python's filter.write passes the string's own memory on to httpd, and does not keep the string: one that is gone
# before the answer is sent is sent as garbage, by stock too. So these stay.
written = {}


def upper(filter):
    piece = filter.read()
    while piece:
        text = piece.upper()
        filter.write(written.setdefault(text, text))
        piece = filter.read()
    if piece is None:
        filter.close()
