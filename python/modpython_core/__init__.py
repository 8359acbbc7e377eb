"""The Python part of modpython-core, behind mod_python's import_module.

A module is loaded once per interpreter, file and version, however many threads ask for it at once, and nobody is
given one whose code has not run to its end. The source is the same for Python 2.7 and Python 3, and is run from
inside the library: there are no files of it to install.

    install    puts import_module in the place of the stock one
    search     where to look for a module, and the file found there
    loading    what is no hit: one load under the lock of the file
    failures   what a failed load leaves to those who waited for it
    names      which name a module has in sys.modules
    cgihandler keeps mod_python's from deleting the modules of others
    wsgi       has the status of a WSGI application sent
    importer33 has 3.3's own importer load a file once
    queries    has the fields of a query have their names
    sessions   has each session have a number of its own
    ssi        keeps code in pages that fails from crashing the child
    remedies   which of these are left out
    compat     the differences between Python 2 and 3
"""
