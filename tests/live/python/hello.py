"""A small answer, for the benchmarks."""

from mod_python import apache


def handler(req):
    req.content_type = "text/plain"
    req.write("hello\n")
    return apache.OK
