"""Whether PyGILState_* works in a request, nested requests included, and whether its interpreter is the real main one."""

import ctypes
import json
import sys

from mod_python import apache

api = ctypes.pythonapi
for name in ("PyGILState_GetThisThreadState", "PyInterpreterState_Head", "PyInterpreterState_Next"):
    getattr(api, name).restype = ctypes.c_void_p
api.PyInterpreterState_Next.argtypes = [ctypes.c_void_p]

if sys.version_info[0] >= 3:
    api.PyThreadState_Get.restype = ctypes.c_void_p
    api.PyInterpreterState_Get.restype = ctypes.c_void_p
    api.PyInterpreterState_Main.restype = ctypes.c_void_p

    def current():
        return api.PyThreadState_Get()

    def is_main():
        return api.PyInterpreterState_Get() == api.PyInterpreterState_Main()

else:

    def current():
        return ctypes.c_void_p.in_dll(api, "_PyThreadState_Current").value

    def is_main():
        # The state's first field is the next state, its second the interpreter. The main one is last in their list.
        interpreter = ctypes.cast(current(), ctypes.POINTER(ctypes.c_void_p))[1]
        return not api.PyInterpreterState_Next(interpreter)


def check():
    """PyGILState_Check as in Python 3 without sub-interpreters. With one it always answers 1, and Python 2 lacks it."""
    return int(api.PyGILState_GetThisThreadState() == current())


def handler(req):
    if req.uri.endswith("/nested"):
        before = check()
        req.internal_redirect(req.uri[: -len("nested")] + "inner?outer=%d" % before)
        return apache.OK
    answer = {"check": check(), "outer": req.args, "main": is_main()}
    if hasattr(api, "PyGILState_Check"):
        answer["python"] = api.PyGILState_Check()
    if req.uri.endswith("/ensure"):
        # Where PyGILState_* does not know this thread's state, this waits for a GIL that this very thread holds.
        api.PyGILState_Release(api.PyGILState_Ensure())
        answer["ensured"] = True
    req.content_type = "application/json"
    req.write(json.dumps(answer))
    return apache.OK
