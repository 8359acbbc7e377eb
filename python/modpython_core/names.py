"""Which name a module has in sys.modules.

Files of one name in different directories are different modules. The bare name belongs to the file that the server's own
path leads to; among those that only a handler's directory leads to, the first keeps it, as it always had it. The others
live under private names made from their paths.
"""

from __future__ import absolute_import

import re
import sys

from modpython_core import compat, finding, siblings

core = None

PREFIX = '_mp_'

_ESCAPES = {'_': '__', '/': '_s', '.': '_d', '-': '_h'}
_LETTERS = dict((escape[1], letter) for letter, escape in _ESCAPES.items())
_ESCAPE = re.compile('_(x..|.?)', re.DOTALL)


def claim(found):
    """The name under which the file is to be loaded, kept for it until its load has ended."""
    if '.' in found.name:
        # The parent's name says it.
        return found.name
    taken = sys.modules.get(found.name)
    if taken is not None and compat.file_of(taken) == found.file:
        return found.name
    # The claim is one atomic step, so that of two threads exactly one gets the name.
    if taken is None and _may_have_bare(found) and core.claim(found.name, found.key):
        return found.name
    return private(found)


def _may_have_bare(found):
    if not found.directory:
        # It was found where an import statement looks.
        return True
    owner = finding.server_file(found.name)
    return (owner is None or owner == found.file) and not (found.is_package and siblings.has_left_parts(found))


def private(found):
    """A name made from the path alone, so that it is the same in every process, and the path can be had from it."""
    return PREFIX + encode(found.file)


def encode(path):
    """Letters and digits stay; every other byte is an escape that begins with an underscore."""
    letters = []
    for letter in compat.letters_of_path(path):
        if letter < '\x80' and letter.isalnum():
            letters.append(letter)
        else:
            letters.append(_ESCAPES.get(letter) or '_x%02x' % ord(letter))
    return ''.join(letters)


def decode(name):
    """The path in a private name; None for any other name."""
    if not name.startswith(PREFIX):
        return None
    try:
        return compat.path_of_letters(_ESCAPE.sub(_letter, name[len(PREFIX):]))
    except (KeyError, ValueError):
        return None


def _letter(escape):
    kind = escape.group(1)
    return chr(int(kind[1:], 16)) if len(kind) == 3 else _LETTERS[kind]


def make_room(found, sys_name):
    """Takes out of sys.modules what another package of that name has left there of its parts."""
    if not found.is_package or not found.directory:
        return
    directory = found.package_directory + '/'
    # A copy is made in one step; a list of the items is not, and other threads import meanwhile.
    for name, module in sys.modules.copy().items():
        if name.startswith(sys_name + '.') and module is not None:
            file = compat.file_of(module)
            if file and not file.startswith(directory):
                sys.modules.pop(name, None)
