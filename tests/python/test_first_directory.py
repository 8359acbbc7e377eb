"""The first pages of a process come together: none of them is run before imports are looked at (I12)."""

import sys
import threading

from harness import Directory, Request, apache, case, run, until

siblings = sys.modules['modpython_core.siblings']
TEXT = 'import helper\nwho = helper.who\n'


def page(here):
    return apache.CallBack().HandlerDispatch(Request('page', here.path))


class Held(set):
    """The handlers' directories; the first thread that enters one is held until the other one has run its page."""

    held = None

    def add(self, directory):
        set.add(self, directory)
        if self.held is None:
            Held.held = directory
            assert done.wait(60)


done = threading.Event()


@case
def a_page_that_came_second_had_the_helper_of_the_first():
    north, south = Directory(False), Directory(False)
    for here in north, south:
        here.write('page.py', TEXT)
        here.write('helper.py', 'who = __file__\n')
    # As the dispatcher has it after its first two requests.
    sys.path[:0] = [north.path, south.path]
    siblings._directories = Held()
    answers = {}
    first = threading.Thread(target=lambda: answers.update(north=page(north).who))
    first.start()
    until(lambda: Held.held)
    try:
        assert page(south).who == south.file('helper.py')
    finally:
        done.set()
        first.join()
    assert answers['north'] == north.file('helper.py')


run()
