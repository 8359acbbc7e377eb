"""A stand-in for mod_python: just enough of it for import_module, with dispatchers that call it as the stock ones do.

Each has the local variables that ours reads (req, hlist, config, pathstring; fltr; conn), and none passes a directory.
"""

import os
import sys
import types

# The threads of these scripts are no requests, and most do not end while others ask; see test_first_request.py.
os.environ['MODPYTHON_CORE_FIRST_REQUEST_ALONE'] = '0'

APACHE = '''
import sys

APLOG_NOERRNO = 0
APLOG_ERR = 3
APLOG_NOTICE = 5
lines = []


def log_error(text, level=0, server=None):
    lines.append((level, text))


def import_module(module_name, autoreload=1, log=0, path=None):
    raise AssertionError('the stock function was called')


class CallBack(object):

    def HandlerDispatch(self, req):
        config = req.config
        hlist = req.hlist
        if 'PythonPath' in config:
            # As stock calls it; the other dispatchers here have no such variable.
            pathstring = config['PythonPath']
        elif not hlist.is_location and hlist.directory not in sys.path:
            sys.path.insert(0, hlist.directory)
        return import_module(hlist.handler, autoreload=config.get('PythonAutoReload', '1') == '1', log=False)

    def FilterDispatch(self, fltr):
        req = fltr.req
        config = req.config
        return import_module(fltr.handler, autoreload=True, log=False)

    def ConnectionDispatch(self, conn):
        config = conn.config
        return import_module(conn.handler, autoreload=True, log=False)

    def ImportDispatch(self, name):
        config = {}
        return import_module(name, log=False)
'''

WSGI = '''
from mod_python import apache


def handler(req):
    config = req.config
    module = apache.import_module(req.application, autoreload=True, log=False)
    # As in stock, an inner function uses the variable too: up to 3.10 it is not where the others are.
    [req.application for _ in ()]
    return module
'''


def make(name, source):
    module = types.ModuleType(name)
    module.__file__ = '<stand-in>/%s.py' % name
    sys.modules[name] = module
    exec(compile(source, module.__file__, 'exec'), module.__dict__)
    return module


package = make('mod_python', '')
package.__path__ = []
package.apache = make('mod_python.apache', APACHE)
package.wsgi = make('mod_python.wsgi', WSGI)
