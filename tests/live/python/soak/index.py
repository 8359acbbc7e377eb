"""A plain handler. Each of several directories has one of this name, and a helper of its own."""

import helper
from mod_python import apache

AT_FIRST = helper.NAME


def handler(req):
    import helper as now

    req.write("index %s %s" % (AT_FIRST, now.NAME))
    return apache.OK
