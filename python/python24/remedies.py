# Written by write_python24.py out of modpython_core/remedies.py, whose comments say why: do not edit.
import os
_left_out = [name.strip() for name in os.environ.get('MODPYTHON_CORE_DISABLE', '').split(',')]

def cures(name):
    return name not in _left_out
