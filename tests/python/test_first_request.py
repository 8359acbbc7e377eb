"""The first request of a handler's module runs alone, where that is wanted (I16)."""

import sys
import threading

import harness
from harness import Directory, Request, apache, case, clock, core, run, runs, together, until

loading = sys.modules['modpython_core.loading']
callback = apache.CallBack()


def served(function):
    """Runs it as the request of a thread of its own: its thread state goes with it."""
    results = []

    def body():
        results.append(function())

    thread = threading.Thread(target=body)
    thread.start()
    return thread, results


def alone(seconds):
    def decorate(function):
        def body():
            loading.seconds_alone = seconds
            try:
                function()
            finally:
                loading.seconds_alone = 0
        body.__name__ = function.__name__
        return body
    return decorate


@case
@alone(20)
def others_wait_for_the_end_of_the_first_request():
    here = Directory(False)
    here.write('app.py', 'import harness\nharness.ran("load")\n')
    inside, leave, order = threading.Event(), threading.Event(), []

    def first():
        module = callback.HandlerDispatch(Request('app', here.path))
        inside.set()
        leave.wait(harness.DEADLINE)
        # It has the module again at once itself.
        assert callback.HandlerDispatch(Request('app', here.path)) is module
        order.append('first')

    def second():
        inside.wait(harness.DEADLINE)
        for way in range(2):
            callback.HandlerDispatch(Request('app', here.path))
            order.append('second')

    threads = [served(first)[0]] + [served(second)[0] for _ in range(4)]
    inside.wait(harness.DEADLINE)
    waiting = b'first request\0' + here.key('app.py')
    until(lambda: core.waiting(waiting) == 4)
    assert order == []
    leave.set()
    for thread in threads:
        thread.join(harness.DEADLINE)
    assert order[0] == 'first' and sorted(order) == ['first'] + ['second'] * 8
    assert runs == {'load': 1}
    # Not after a reload, nor for other modules.
    here.write('app.py', 'import harness\nharness.ran("load")\nvalue = 2\n')
    inside.clear()
    leave.clear()
    thread = served(first)[0]
    inside.wait(harness.DEADLINE)
    assert callback.HandlerDispatch(Request('app', here.path)).value == 2
    leave.set()
    thread.join(harness.DEADLINE)


@case
@alone(1)
def the_wait_is_bounded():
    here = Directory(False)
    here.write('slow.py', '')
    inside, leave = threading.Event(), threading.Event()

    def first():
        callback.HandlerDispatch(Request('slow', here.path))
        inside.set()
        leave.wait(harness.DEADLINE)

    thread = served(first)[0]
    inside.wait(harness.DEADLINE)
    before = clock()
    callback.HandlerDispatch(Request('slow', here.path))
    assert 0.5 < clock() - before < 10
    before = clock()
    callback.HandlerDispatch(Request('slow', here.path))
    assert clock() - before < 0.5, 'one has waited for all'
    leave.set()
    thread.join(harness.DEADLINE)


@case
@alone(20)
def two_first_requests_that_ask_for_each_other():
    here = Directory(False)
    for name in ('left', 'right'):
        here.write(name + '.py', '')
    both = harness.Barrier(2).wait

    def request(mine, other):
        callback.HandlerDispatch(Request(mine, here.path))
        both()
        return callback.HandlerDispatch(Request(other, here.path)).__name__

    before = clock()
    results = together(lambda: request('left', 'right'), lambda: request('right', 'left'))
    assert sorted(result.get() for result in results) == ['left', 'right']
    assert clock() - before < 10


@case
def the_seconds_are_those_of_the_environment():
    # stand_in sets them to 0, which is not what holds for Python 2 without them.
    assert core.seconds_alone() == loading.seconds_alone == 0


@case
def off_nobody_waits():
    here = Directory(False)
    here.write('off.py', '')
    inside, leave = threading.Event(), threading.Event()

    def first():
        callback.HandlerDispatch(Request('off', here.path))
        inside.set()
        leave.wait(harness.DEADLINE)

    thread = served(first)[0]
    inside.wait(harness.DEADLINE)
    callback.HandlerDispatch(Request('off', here.path))
    leave.set()
    thread.join(harness.DEADLINE)


run()
