# Written by write_python24.py out of modpython_core/__init__.py, whose comments say why: do not edit.
pass
