"""PythonAutoReload Off runs nothing twice, On sees every change since the code ran, whoever imported it (I14)."""

import sys

from harness import Directory, Request, apache, case, core, import_module, run, runs, together

SOURCE = 'import harness\nharness.ran(__name__)\nvalue = %d\n'


def without_bytecode(function):
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        function()
    finally:
        sys.dont_write_bytecode = before


@case
def off_ran_what_a_plain_import_had_run_again():
    here = Directory()
    here.write('plain.py', SOURCE % 1)
    import plain
    here.write('plain.py', SOURCE % 2)
    for where in (None, [here.path]):
        assert import_module('plain', autoreload=0, path=where) is plain and plain.value == 1
    assert runs == {'plain': 1}
    for where in (None, [here.path]):
        assert import_module('plain', path=where) is plain and plain.value == 2
    assert runs == {'plain': 2}


@case
def on_never_saw_a_change_where_bytecode_cannot_be_written():
    def check():
        here = Directory()
        here.write('unwritten.py', SOURCE % 1)
        import unwritten
        here.write('unwritten.py', SOURCE % 2)
        assert import_module('unwritten') is unwritten and unwritten.value == 2
        del sys.modules['unwritten']
        here.write('unwritten.py', SOURCE % 3)
        import unwritten as again
        assert import_module('unwritten') is again and again.value == 3
        assert runs == {'unwritten': 3}

    without_bytecode(check)


@case
def packages_and_their_parts():
    def check():
        here = Directory()
        here.write('pack/__init__.py', SOURCE % 1)
        here.write('pack/part.py', SOURCE % 1)
        import pack.part
        here.write('pack/part.py', SOURCE % 2)
        here.write('pack/__init__.py', SOURCE % 2)
        assert import_module('pack.part', autoreload=0).value == 1
        assert import_module('pack.part').value == 2 and pack.value == 1
        assert import_module('pack').value == 2
        assert runs == {'pack': 2, 'pack.part': 2}

    without_bytecode(check)


@case
def a_sibling_that_was_imported_plainly():
    here = Directory(False)
    here.write('page.py', 'import helper\nvalue = helper.value\n')
    here.write('helper.py', SOURCE % 1)
    sys.path.insert(0, here.path)
    assert import_module('page', path=[here.path]).value == 1
    here.write('helper.py', SOURCE % 2)
    helper = import_module('helper', path=[here.path], autoreload=0)
    assert helper.value == 1 and runs == {'helper': 1}
    assert import_module('helper', path=[here.path]) is helper and helper.value == 2


@case
def a_file_that_did_not_change_is_not_run_again():
    def check():
        here = Directory()
        here.write('steady.py', SOURCE % 1)
        import steady
        for result in together(*[lambda: import_module('steady')] * 8):
            assert result.get() is steady
        assert runs == {'steady': 1}

    without_bytecode(check)


@case
def a_pages_own_call_was_reloaded_where_the_directive_is_off_and_stock_reloads_nothing():
    """Stock 3.5 as distributions have it: the call says nothing of autoreload, whose default is 1."""
    here = Directory(False)
    here.write('page.py', 'from harness import import_module\ndef ask():\n    return import_module("plug").value\n')
    compat, loading = sys.modules['modpython_core.compat'], sys.modules['modpython_core.loading']

    def setup(stock_reloads):
        core.setup(loading.load, compat.import_lock_edges, apache.__dict__, apache.__dict__, False, stock_reloads)

    def page(**config):
        return apache.CallBack().HandlerDispatch(Request('page', here.path, **config))

    here.write('plug.py', 'value = 1\n')
    setup(False)
    try:
        assert page(PythonAutoReload='0').ask() == 1
        here.write('plug.py', 'value = 2\n')
        assert page(PythonAutoReload='0').ask() == 1
        assert page().ask() == 2
        here.write('plug.py', 'value = 3\n')
        off = page(PythonAutoReload='0')
        assert off.ask() == 2
        setup(True)
        assert off.ask() == 3
    finally:
        setup(True)
        page()


run()
