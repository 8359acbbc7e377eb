"""Says which interpreter answers."""

import json
import os

import notes
from mod_python import apache


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
