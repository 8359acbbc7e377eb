"""Mends mod_python.wsgi: start_response sets the line of the status alone, never the status, so that httpd, which goes
by the status, sends 200 for every answer.
"""

from __future__ import absolute_import

from modpython_core.remedies import cures


class _Request(object):
    """The request as mod_python.wsgi's handler sees it."""

    def __init__(self, req):
        self._req = req

    def __getattr__(self, name):
        return getattr(self._req, name)

    def wsgi_start_response(self, status, headers, *exc_info):
        write = self._req.wsgi_start_response(status, headers, *exc_info)
        # It has been found to begin with a number, of a status that there is.
        self._req.status = int(status.split(None, 1)[0])
        return write


def mend(module):
    """Once for each run of the module's code, which makes a new handler."""
    stock = getattr(module, 'handler', None)
    if not cures('wsgi-status') or stock is None or getattr(stock, 'modpython_core', False):
        return

    def handler(req):
        return stock(_Request(req))

    handler.modpython_core = True
    module.handler = handler
