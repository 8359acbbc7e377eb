"""The start of each request of the shop."""

import support


def begin(get_response):
    def middleware(request):
        support.visitor.set(request.user.username or "nobody")
        support.collected.set([])
        response = get_response(request)
        response["X-Visitor"] = support.visitor.get()
        return response

    return middleware
