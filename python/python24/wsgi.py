# Written by write_python24.py out of modpython_core/wsgi.py, whose comments say why: do not edit.
from modpython_core.remedies import cures

class _Request(object):

    def __init__(self, req):
        self._req = req

    def __getattr__(self, name):
        return getattr(self._req, name)

    def wsgi_start_response(self, status, headers, *exc_info):
        write = self._req.wsgi_start_response(status, headers, *exc_info)
        self._req.status = int(status.split(None, 1)[0])
        return write

def mend(module):
    stock = getattr(module, 'handler', None)
    if not cures('wsgi-status') or stock is None or getattr(stock, 'modpython_core', False):
        return

    def handler(req):
        return stock(_Request(req))
    handler.modpython_core = True
    module.handler = handler
