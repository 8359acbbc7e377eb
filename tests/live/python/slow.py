"""A handler whose module takes 0.2 s to import, as a web application's does."""

import json
import os
import time

import notes
from mod_python import apache

# Not __name__: the folder of this file is on the server's own path, so that a copy of it elsewhere has a private name.
notes.write("load", module="slow", interpreter=apache.interpreter)
time.sleep(0.2)


def handler(req):
    req.content_type = "application/json"
    req.write(
        json.dumps(
            {
                "pid": os.getpid(),
                "interpreter": apache.interpreter,
                "token": notes.token,
            }
        )
    )
    return apache.OK
