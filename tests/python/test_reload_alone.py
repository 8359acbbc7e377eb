"""A handler's module is run again when the requests that had begun before have ended.

To touch the wsgi.py of a Django site under load hung the process: django.setup() and a request that was mailing an error
took the locks of logging the other way round.
"""

import sys
import threading

import harness
from harness import Directory, Request, apache, case, clock, run, together

others = sys.modules['modpython_core.others']
callback = apache.CallBack()
exec('def dispatch_by_hand(handler):\n    return handler()\n', apache.__dict__)


def changed(here, running):
    """The order of two events: a running request ends, and the code of the changed module runs."""
    order, inside, asked, harness.ran_again = [], threading.Event(), threading.Event(), threading.Event()
    harness.order = order
    here.write('app.py', 'import harness\n')
    callback.HandlerDispatch(Request('app', here.path))
    here.write('app.py', 'import harness\nharness.order.append("code")\nharness.ran_again.set()\n')

    def handler():
        inside.set()
        asked.wait(20)
        running()
        order.append('request')

    def reload():
        inside.wait(20)
        asked.set()
        return callback.HandlerDispatch(Request('app', here.path))

    for result in together(lambda: apache.dispatch_by_hand(handler), *[reload] * 4):
        result.get()
    return order


@case
def the_request_that_runs_ends_first():
    others.seconds = 20
    assert changed(Directory(False), lambda: harness.ran_again.wait(0.5)) == ['request', 'code']


@case
def but_is_not_waited_for_without_end():
    others.seconds = 0.3
    assert changed(Directory(False), lambda: harness.ran_again.wait(20)) == ['code', 'request']


@case
def one_that_waits_for_the_module_itself_is_not_waited_for():
    others.seconds = 20
    here = Directory(False)
    begin = clock()
    assert changed(here, lambda: callback.HandlerDispatch(Request('app', here.path))) == ['code', 'request']
    assert clock() - begin < others.seconds, clock() - begin


run()
