"""A site of a mod_python 3.5, whose stock core reloads nothing: where a new version fails it goes on with what it has, and a
new release comes as a whole."""

import sys

from harness import Directory, ask, case, core, lines, raises, run, runs, together

for name in ('loading', 'siblings'):
    module = sys.modules['modpython_core.' + name]
    assert module.stock_reloads
    module.stock_reloads = False

RAN = 'import harness\nharness.ran(__name__)\n'


@case
def a_new_version_that_fails_leaves_the_site_as_it_was():
    # Code that can run once a process fails when it is run again (Django's settings, Flask's routes, a bound socket),
    # and the page answered 500 until a restart.
    here = Directory()
    here.write('once.py', RAN + 'if hasattr(harness, "is_set_up"):\n    raise RuntimeError("already set up")\n'
               'harness.is_set_up = True\nversion = 1\n')
    module = ask('once', here)
    text = open(here.file('once.py')).read()
    here.write('once.py', text + '# touched\n')
    before = len(lines())
    assert all(result.get() is module for result in together(*[lambda: ask('once', here)] * 8))
    assert ask('once', here) is module and module.version == 1 and sys.modules['once'] is module
    assert runs['once'] == 2, runs
    said = [line for line in lines()[before:] if 'MPC0024' in line]
    assert len(said) == 1 and 'already set up' in said[0], said
    assert core.locks() == 0
    # Another version is tried again.
    here.write('once.py', 'version = 2\n')
    assert ask('once', here).version == 2
    here.write('once.py', 'version = \n')
    assert ask('once', here).version == 2


@case
def a_first_load_that_fails_has_nothing_to_go_on_with():
    here = Directory()
    here.write('first.py', '1 / 0\n')
    raises(ZeroDivisionError, ask, 'first', here)
    raises(ZeroDivisionError, ask, 'first', here)


@case
def what_ends_a_program_is_no_version_that_fails():
    here = Directory()
    here.write('ends.py', 'version = 1\n')
    module = ask('ends', here)
    here.write('ends.py', 'raise SystemExit\n')
    raises(SystemExit, ask, 'ends', here)
    raises(SystemExit, ask, 'ends', here)
    here.write('ends.py', 'version = 2\n')
    assert ask('ends', here) is module and module.version == 2


@case
def a_new_release_comes_as_a_whole():
    # A page that was run again got the helper of the release before: "cannot import name", for good.
    here = Directory()
    page = RAN + 'from release_helper import f%(number)d as f\nfrom release_pack import VERSION\nversion = %(number)d\n'
    helper = RAN + 'import release_more\ndef f%(number)d():\n    return %(number)d, release_more.number\n'
    more, pack = RAN + 'number = %(number)d\n', RAN + 'VERSION = %(number)d\n'

    def release(number):
        for name, text in (('release_more', more), ('release_helper', helper), ('release_pack/__init__', pack),
                           ('release_page', page)):
            here.write(name + '.py', text % {'number': number})

    for number in (1, 2, 3):
        release(number)
        answers = together(*[lambda: ask('release_page', here)] * 8)
        assert all(answer.get().version == number for answer in answers)
        module = ask('release_page', here)
        assert (module.version, module.f(), module.VERSION) == (number, (number, number), number)
        for name in ('release_page', 'release_helper', 'release_more', 'release_pack'):
            assert runs[name] == number, runs
    # A helper alone is looked at as stock does: not at all.
    here.write('release_more.py', more % {'number': 9})
    assert ask('release_page', here).f() == (3, 3)


@case
def a_release_that_fails_is_not_served_in_part():
    here = Directory()
    here.write('part_helper.py', 'def f1():\n    return 1\n')
    here.write('part_page.py', 'from part_helper import f1\ndef page():\n    return f1()\n')
    module = ask('part_page', here)
    here.write('part_helper.py', 'def f2():\n    return 2\n')
    here.write('part_page.py', 'from part_helper import f2, f3\ndef page():\n    return f2() + f3()\n')
    assert ask('part_page', here) is module and module.page() == 1


run()
