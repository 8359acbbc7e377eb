"""The module that handlers know as `apache`: the dispatchers that the C module calls, import_module, and constants."""

import os
import pdb
import sys
import traceback

import _apache

if sys.version_info[0] >= 3:
    import importlib.machinery
    import importlib.util
else:
    import imp

OK = 0
DECLINED = -1
DONE = -2

HTTP_CONTINUE = 100
HTTP_OK = 200
HTTP_CREATED = 201
HTTP_ACCEPTED = 202
HTTP_NO_CONTENT = 204
HTTP_PARTIAL_CONTENT = 206
HTTP_MOVED_PERMANENTLY = 301
HTTP_MOVED_TEMPORARILY = 302
HTTP_SEE_OTHER = 303
HTTP_NOT_MODIFIED = 304
HTTP_BAD_REQUEST = 400
HTTP_UNAUTHORIZED = 401
HTTP_FORBIDDEN = 403
HTTP_NOT_FOUND = 404
HTTP_METHOD_NOT_ALLOWED = 405
HTTP_INTERNAL_SERVER_ERROR = 500
HTTP_NOT_IMPLEMENTED = 501
HTTP_SERVICE_UNAVAILABLE = 503

APLOG_EMERG = 0
APLOG_ALERT = 1
APLOG_CRIT = 2
APLOG_ERR = 3
APLOG_WARNING = 4
APLOG_NOTICE = 5
APLOG_INFO = 6
APLOG_DEBUG = 7
# Says that errno means nothing here. httpd 2.4 takes errno as an argument of its own.
APLOG_NOERRNO = 16

log_error = _apache.log_error
server_root = _apache.server_root

# The name of this interpreter; in 3.1 from the first request on, since nobody tells init().
interpreter = None

# The PythonPath expression that sys.path was set by; from 3.3 on, those that it was.
if _apache.shape < 30300:
    _path = None
else:
    _paths = set()


class SERVER_RETURN(Exception):
    """Ends a handler from within: SERVER_RETURN(result), or (result, status)."""


class CallBack(object):
    """The methods that the C module calls, one object for each interpreter."""

    def HandlerDispatch(self, req):
        """Calls the handlers of a phase, one after the other as long as they return OK."""
        global interpreter
        interpreter = req.interpreter
        config = req.get_config()
        hlist = req.hlist
        debug = config.get("PythonDebug", "0") == "1"
        result = HTTP_INTERNAL_SERVER_ERROR
        try:
            while hlist.handler is not None:
                module_name, object_str = split_handler(hlist.handler, req.phase[len("Python"):].lower())
                set_path(config, hlist.directory)
                module = import_module(module_name, autoreload=int(config.get("PythonAutoReload", "1")), log=debug)
                function = resolve_object(module, object_str, req, silent=hlist.silent)
                if function is not None:
                    result = call(function, req, config)
                    if type(result) is not int:
                        raise AssertionError("handler '%s' returned %r, which is no status" % (hlist.handler, result))
                    if result != OK:
                        break
                elif hlist.silent:
                    result = DECLINED
                hlist.next()
        except SERVER_RETURN:
            result = self.early_return(sys.exc_info()[1], req)
        except BaseException:
            result = self.report(dict(req=req, phase=req.phase, hname=hlist.handler, debug=debug))
        return result

    def FilterDispatch(self, filter):
        """Calls a filter."""
        global interpreter
        req = filter.req
        interpreter = req.interpreter
        config = req.get_config()
        debug = config.get("PythonDebug", "0") == "1"
        try:
            default = "inputfilter" if filter.is_input else "outputfilter"
            module_name, object_str = split_handler(filter.handler, default)
            set_path(config, filter.dir)
            module = import_module(module_name, autoreload=int(config.get("PythonAutoReload", "1")), log=debug)
            call(resolve_object(module, object_str, filter), filter, config)
            # httpd would never send data that the filter neither flushes nor closes.
            filter.flush()
        except SERVER_RETURN:
            self.early_return(sys.exc_info()[1], req)
        except BaseException:
            filter.disable()
            self.report(dict(req=req, filter=filter, phase="Filter: " + filter.name, hname=filter.handler, debug=debug))
        return OK

    def ConnectionDispatch(self, conn):
        """Calls the handler of a connection."""
        config = conn.base_server.get_config()
        handler = conn.hlist.handler
        debug = config.get("PythonDebug", "0") == "1"
        try:
            module_name, object_str = split_handler(handler, "connectionhandler")
            set_path(config, None)
            module = import_module(module_name, autoreload=int(config.get("PythonAutoReload", "1")), log=debug)
            result = call(resolve_object(module, object_str, conn), conn, config)
            if type(result) is not int:
                raise AssertionError("handler '%s' returned %r, which is no status" % (handler, result))
        except BaseException:
            result = self.report(dict(srv=conn.base_server, phase="ConnectionHandler", hname=handler, debug=debug))
        return result

    def ImportDispatch(self, name):
        """Imports a module for PythonImport, from 3.3 on; up to 3.2 the C module does it."""
        import_module(name.partition("::")[0])

    def early_return(self, raised, req):
        """The result that SERVER_RETURN carries."""
        result = raised.args[0] if raised.args else None
        if len(raised.args) == 2 and raised.args[1]:
            req.status = raised.args[1]
        if type(result) is not int:
            log_error("SERVER_RETURN carries %r, which is no status" % (result,), APLOG_ERR, req.server)
            return HTTP_INTERNAL_SERVER_ERROR
        return result

    def report(self, where):
        return self.ReportError(*sys.exc_info(), **where)

    def ReportError(self, etype, evalue, etb, req=None, filter=None, srv=None, phase="N/A", hname="N/A", debug=0):
        """Logs an exception; under PythonDebug the client sees it too."""
        try:
            lines = traceback.format_exception(etype, evalue, etb)
            for line in lines:
                text = "%s %s: %s" % (phase, hname, line.rstrip("\n"))
                if req is not None:
                    req.log_error(text, APLOG_NOERRNO | APLOG_ERR)
                else:
                    log_error(text, APLOG_NOERRNO | APLOG_ERR, srv)
            # A client that no longer listens is not written to.
            if not debug or req is None or issubclass(etype, IOError) and str(evalue).startswith("Write"):
                return HTTP_INTERNAL_SERVER_ERROR
            page = "<pre>%s %s:\n\n%s</pre>\n" % (phase, hname, "".join(lines))
            req.content_type = "text/html"
            if filter is not None:
                filter.write(page)
                filter.flush()
            else:
                req.write(page)
            return DONE
        finally:
            etb = None


def split_handler(handler, default):
    """module::object in two, with what stands for the object where it is left out."""
    module_name, colons, object_str = handler.partition("::")
    return module_name, object_str if colons else default


def set_path(config, directory):
    """PythonPath, if there is one; else the directory of the directive comes first. No lock, as in 3.1.x."""
    global _path
    if "PythonPath" not in config:
        if directory and directory not in sys.path:
            sys.path.insert(0, directory)
        return
    expression = config["PythonPath"]
    if _apache.shape < 30300:
        is_set = expression == _path
        _path = expression
    else:
        is_set = expression in _paths
        _paths.add(expression)
    if not is_set:
        path = eval(expression)
        if sys.path != path:
            sys.path[:] = path


def call(function, argument, config):
    """Calls what has been found, in the debugger if that is wanted."""
    if "PythonEnablePdb" in config:
        return pdb.runcall(function, argument)
    return function(argument)


def import_module(module_name, autoreload=1, log=0, path=None):
    """The module of that name, loaded again if its file is newer than what was loaded.

    No lock, as in 3.1.x: threads that come at the same time all load it, or are given what another has loaded so far.
    """
    module = sys.modules.get(module_name)
    mtime = newer = None
    if module is not None:
        file = getattr(module, "__file__", None)
        if file and (not path or [directory for directory in path if file.startswith(directory)]):
            if not autoreload:
                return module
            mtime = module_mtime(module)
            newer = mtime > getattr(module, "__mtime__", 0)
            if not newer:
                return module
    if log:
        text = "mod_python: (Re)importing module '%s'" % module_name
        if path:
            text += " with path set to '%s'" % (path,)
        log_error(text, APLOG_NOERRNO | APLOG_NOTICE)
    module = load(module_name, path)
    module.__mtime__ = mtime if newer else module_mtime(module)
    return module


def load(module_name, path):
    """Runs the file of the module, and of each package on the way to it, whether it is there already or not."""
    parts = module_name.split(".")
    for depth in range(1, len(parts) + 1):
        module = load_part(".".join(parts[:depth]), parts[depth - 1], path)
        path = getattr(module, "__path__", path)
    return module


if sys.version_info[0] >= 3:

    def load_part(name, last, path):
        importlib.invalidate_caches()
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None:
            raise ImportError("No module named %s" % last, name=name)
        # In the module object that is there, as imp.load_module did.
        known = sys.modules.get(name)
        module = known if known is not None else importlib.util.module_from_spec(spec)
        module.__spec__ = spec
        module.__file__ = spec.origin
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            if known is None:
                sys.modules.pop(name, None)
            raise
        return sys.modules.get(name, module)

else:

    def load_part(name, last, path):
        file, file_name, description = imp.find_module(last, path)
        try:
            return imp.load_module(name, file, file_name, description)
        finally:
            if file:
                file.close()


def module_mtime(module):
    """When the module's file was changed last: the source's or the bytecode's time, whichever is later."""
    latest = 0
    file = getattr(module, "__file__", None)
    if file:
        for name in (file, file[:-1]):
            try:
                latest = max(latest, os.path.getmtime(name))
            except OSError:
                pass
    return latest


def resolve_object(module, object_str, arg=None, silent=0):
    """Follows the dots of `object_str`. A class on the way is instantiated, with the request."""
    obj = module
    for name in object_str.split("."):
        if not hasattr(obj, name):
            if silent:
                return None
            if obj is module:
                raise AttributeError("module '%s' contains no '%s'" % (getattr(module, "__file__", module), name))
        parent, obj = obj, getattr(obj, name)
        if isinstance(parent, type) or hasattr(obj, "im_self") and obj.im_self is None:
            obj = getattr(parent(arg), name)
    return obj


def init(name=None, server=None):
    """Called once an interpreter has been made, or more than once if several threads come at the same time. From 3.2 on
    it is told the interpreter's name; 3.3 has an importer of its own, which puts itself in the place of this one."""
    global interpreter
    if name is not None:
        interpreter = name
    if 30300 <= _apache.shape < 30400:
        __import__("mod_python.importer")
    return CallBack()
