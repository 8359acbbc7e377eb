"""The module that mod_python.wsgi imports, and loads again when it is touched; the shop itself stays."""

from flaskshop import site


class Middleware:
    """Names the site in each answer."""

    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        def start(status, headers, *rest):
            return start_response(status, headers + [("X-Site", "flask")], *rest)

        return self.application(environ, start)


application = Middleware(site.wsgi_app)
