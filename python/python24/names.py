# Written by write_python24.py out of modpython_core/names.py, whose comments say why: do not edit.
import re
import sys
from modpython_core import compat, finding, siblings
core = None
PREFIX = '_mp_'
_ESCAPES = {'_': '__', '/': '_s', '.': '_d', '-': '_h'}
_LETTERS = dict(((escape[1], letter) for letter, escape in _ESCAPES.items()))
_ESCAPE = re.compile('_(x..|.?)', re.DOTALL)

def claim(found):
    if '.' in found.name:
        return found.name
    taken = sys.modules.get(found.name)
    if taken is not None and compat.file_of(taken) == found.file:
        return found.name
    if taken is None and _may_have_bare(found) and core.claim(found.name, found.key):
        return found.name
    return private(found)

def _may_have_bare(found):
    if not found.directory:
        return True
    owner = finding.server_file(found.name)
    return (owner is None or owner == found.file) and (not (found.is_package and siblings.has_left_parts(found)))

def private(found):
    return PREFIX + encode(found.file)

def encode(path):
    letters = []
    for letter in compat.letters_of_path(path):
        if letter < '\x80' and letter.isalnum():
            letters.append(letter)
        else:
            letters.append(_ESCAPES.get(letter) or '_x%02x' % ord(letter))
    return ''.join(letters)

def decode(name):
    if not name.startswith(PREFIX):
        return None
    try:
        return compat.path_of_letters(_ESCAPE.sub(_letter, name[len(PREFIX):]))
    except (KeyError, ValueError):
        return None

def _letter(escape):
    kind = escape.group(1)
    return (len(kind) == 3 and [chr(int(kind[1:], 16))] or [_LETTERS[kind]])[0]

def make_room(found, sys_name):
    if not found.is_package or not found.directory:
        return
    directory = found.package_directory + '/'
    for name, module in sys.modules.copy().items():
        if name.startswith(sys_name + '.') and module is not None:
            file = compat.file_of(module)
            if file and (not file.startswith(directory)):
                sys.modules.pop(name, None)
