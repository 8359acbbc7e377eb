"""A few pages in CherryPy: what it serves at a moment is thread-local, tools run around each page."""

import decimal
import threading

import cherrypy
import support

cherrypy.config.update({"log.screen": False, "environment": "embedded", "checker.on": False})
cherrypy.log.access_log.propagate = cherrypy.log.error_log.propagate = False


def begin():
    support.visitor.set(cherrypy.request.params.get("name", "nobody"))
    support.collected.set([])
    cherrypy.request.begun = cherrypy.request.path_info


def end():
    cherrypy.response.headers["X-Visitor"] = support.visitor.get()
    cherrypy.response.headers["X-Begun"] = cherrypy.request.begun


class Money:
    @cherrypy.expose
    @cherrypy.tools.json_out()
    def share(self, name, amount, precision="6", rounding="down"):
        return {"money": support.money(amount, int(precision), rounding), "name": name, "precision": decimal.getcontext().prec}


class Root:
    money = Money()

    @cherrypy.expose
    def index(self, name="nobody", **more):
        return "<p>%s %s %s %s</p>" % (name, cherrypy.request.method, cherrypy.request.headers.get("Accept-Language"), sorted(more.items()))

    @cherrypy.expose
    @cherrypy.tools.json_out()
    def worked(self, name):
        """Another thread does the work, and has what this one sees in the context, but not its thread-local data."""
        results = []
        thread = threading.Thread(target=lambda: results.append([support.visitor.get(), hasattr(cherrypy.serving.request, "begun")]))
        thread.start()
        thread.join()
        return {"thread": results, "pool": support.in_pool(support.visitor.get)}

    @cherrypy.expose
    def stream(self, name):
        cherrypy.response.headers["Content-Type"] = "text/plain"
        return ("%d %s %s\n" % (number, name, support.visitor.get()) for number in range(5))

    stream._cp_config = {"response.stream": True}

    @cherrypy.expose
    def away(self, name):
        raise cherrypy.HTTPRedirect("/cherrypy/?name=back")

    @cherrypy.expose
    def refused(self, name):
        raise cherrypy.HTTPError(403, "not %s" % name)

    @cherrypy.expose
    @cherrypy.tools.etags(autotags=True)
    def tagged(self, name):
        return "tagged %s" % name


cherrypy.tools.begin = cherrypy.Tool("before_handler", begin)
cherrypy.tools.end = cherrypy.Tool("before_finalize", end)


def error_page(status, message, traceback, version):
    return "%s: %s" % (status, message)


application = cherrypy.Application(Root(), "/cherrypy", {
    "/": {"tools.begin.on": True, "tools.end.on": True, "error_page.default": error_page, "request.show_tracebacks": False}
})
