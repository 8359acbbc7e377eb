"""Which remedies are left out, by MODPYTHON_CORE_DISABLE=name,name."""

from __future__ import absolute_import

import os

# Read now: mod_python.cgihandler replaces os.environ by an empty dictionary.
_left_out = [name.strip() for name in os.environ.get('MODPYTHON_CORE_DISABLE', '').split(',')]


def cures(name):
    return name not in _left_out
