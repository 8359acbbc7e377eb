"""Forks from a request, and has the child do some Python and ask for interpreters again."""

import json
import os
import select
import signal
import threading

from mod_python import apache

LIMIT = 10


def child(req, report):
    # Whatever the child writes must not reach the client, who waits for the parent's answer.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor not in (report, nowhere):
            os.dup2(nowhere, descriptor)
    import colorsys  # a module that nobody has imported yet

    results = []
    thread = threading.Thread(target=lambda: results.append(colorsys.rgb_to_hsv(1, 0, 0)))
    thread.start()
    thread.join()
    assert results == [(0.0, 1.0, 1.0)]
    os.write(report, b"python ")
    for uri in req.args.split(","):
        req.internal_redirect(uri + "?report=%d" % report)


def handler(req):
    ours, report = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            child(req, report)
            status = 0
        finally:
            os._exit(status)
    os.close(report)
    said, hung = b"", False
    while True:
        if not select.select([ours], [], [], LIMIT)[0]:
            hung = True
            os.kill(pid, signal.SIGKILL)
            break
        piece = os.read(ours, 4096)
        if not piece:
            break
        said += piece
    os.close(ours)
    status = os.waitpid(pid, 0)[1]
    req.content_type = "application/json"
    req.write(json.dumps({"said": said.decode(), "status": status, "hung": hung}))
    return apache.OK


def reporter(req):
    """Where a forked child's redirect ends: says through the pipe which interpreter was got."""
    os.write(int(req.args.split("=")[1]), (apache.interpreter + " ").encode())
    return apache.OK
