"""The least a handler can do. It writes nothing: mod_python gives the GIL up and takes it again for each write."""

from mod_python import apache


def handler(req):
    return apache.OK
