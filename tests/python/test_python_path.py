"""PythonPath up to mod_python 3.2: each expression is evaluated on top of what the last one has left (MODPYTHON-114)."""

import sys
import threading
import types

from harness import Directory, Request, apache, case, run, together

python_path = sys.modules['modpython_core.python_path']

# As those releases do it, but for the names.
SET = '''
_path = None
def set_path(expression):
    global _path
    if expression != _path:
        _path = expression
        path = eval(expression)
        if sys.path != path:
            sys.path[:] = path
'''


class Host(object):
    def __init__(self, **names):
        self.module = types.ModuleType('of_mod_python')
        self.module.__dict__.update(names, sys=sys)
        exec(SET, self.module.__dict__)
        del python_path._added[:]
        python_path.mend(self.module)

    def set_path(self, expression):
        self.module.set_path(expression)


@case
def sys_path_grew_with_each_change_of_section():
    host = Host()
    for _ in range(50):
        for section in 'left', 'right':
            host.set_path('sys.path + [%r]' % ('/' + section))
    assert sys.path.count('/left') == sys.path.count('/right') == 1, sys.path
    # The newest comes first where an expression says so.
    host.set_path('["/new", "/right"] + sys.path')
    assert sys.path[:2] == ['/new', '/right'] and '/left' in sys.path and sys.path.count('/right') == 1, sys.path


@case
def two_sections_at_once_lost_one_ones_entries():
    looked, there = threading.Event(), threading.Event()

    def wait():
        looked.set()
        assert there.wait(30)
    host = Host(wait=wait)

    def right():
        assert looked.wait(30)
        host.set_path('sys.path + ["/right"]')
        there.set()
    for result in together(lambda: host.set_path('(list(sys.path), wait())[0] + ["/left"]'), right):
        result.get()
    assert '/left' in sys.path and '/right' in sys.path, sys.path


@case
def an_expression_lost_what_a_dispatcher_put_there_meanwhile():
    """A script of CGI had no helper, in a real 3.1.3, once in some 15 starts of a child."""
    host = Host(put=lambda: sys.path.insert(0, '/script'))
    host.set_path('(list(sys.path), put())[0] + ["/left"]')
    assert sys.path.count('/script') == sys.path.count('/left') == 1, sys.path
    # An entry that is taken out again stays out.
    host = Host(put=lambda: sys.path.remove('/script'))
    host.set_path('(list(sys.path), put())[0] + ["/more"]')
    host = Host()
    host.set_path('[entry for entry in sys.path if entry != "/script"] + ["/other"]')
    assert '/script' not in sys.path, sys.path


@case
def a_list_of_its_own_takes_the_place_of_the_path():
    host = Host()
    host.set_path('sys.path + ["/left"]')
    own = ['/own'] + sys.path[1:3]
    host.set_path('%r + ["/own"]' % (own,))
    assert sys.path == own, sys.path


@case
def a_page_is_loaded_before_its_section_is_in_the_path():
    """Another thread has said which expression it is, and not yet put it into sys.path."""
    host, here = Host(), Directory(False)
    here.write('lies_beside.py', 'value = 1\n')
    here.write('early.py', 'import lies_beside\nvalue = lies_beside.value\n')
    host.module._path = expression = 'sys.path + [%r]' % here.path
    host.set_path(expression)
    page = apache.CallBack().HandlerDispatch(Request('early', '/', PythonPath=expression))
    assert page.value == 1 and here.path in sys.path


run()
