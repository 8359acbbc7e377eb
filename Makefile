# The interface for people and packagers; `make help` says what there is.

MODULE ?=
TREE ?=
OBJECTS ?=
# A tree is for one Python, and says which.
ifneq ($(TREE),)
PYTHON ?= $(or $(shell sed -n 's/^PYTHON_BIN *= *//p' '$(TREE)/Makefile' 2>/dev/null),/usr/bin/python3)
endif
PYTHON ?= /usr/bin/python3
CARGO ?= cargo
CC ?= cc
INSTALL ?= install
APXS ?= $(firstword $(wildcard /usr/bin/apxs2 /usr/bin/apxs /usr/sbin/apxs))
DESTDIR ?=
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man

# The Python of this build: its minor is part of the library's name, and a module must need its libpython. Python 2.7 is
# built without the default features, in a target directory of its own.
export PYO3_PYTHON := $(PYTHON)
# What an embedding interpreter would otherwise take from a shell: stale bytecode must not hide, and no other Python's
# folder may come in.
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
ask = $(shell $(PYTHON) -c 'import sys, sysconfig; print($(1))' 2>/dev/null)
PYVER = $(call ask,"%d.%d" % sys.version_info[:2])
PYLIBDIR = $(call ask,sysconfig.get_config_var("LIBDIR"))
PYLIB = $(call ask,sysconfig.get_config_var("INSTSONAME"))
SONAME = libmodpython-core-py$(PYVER).so.0
INCLUDEDIR ?= $(PREFIX)/include

OUT ?= target/relinked
ifeq ($(filter 2.%,$(PYVER)),)
SHIP_TARGET := target/ship
FEATURES :=
else
SHIP_TARGET := target/ship-py$(PYVER)
FEATURES := --no-default-features
endif
SHIP := $(SHIP_TARGET)/release
SHARED = target/shared/$(SONAME)
SOURCES := $(shell find src capi patches python build.rs Cargo.toml Cargo.lock -type f -not -name '*.pyc')

PREREQUISITES := prerequisites-tree prerequisites-build prerequisites-demo prerequisites-check
.PHONY: all help build relink header demo check check-pythons check-python2 check-consumer check-host bench bench-pair install clean $(PREREQUISITES)

all: build

help:
	@echo 'make                      build the library and the command'
	@echo 'make relink [MODULE=F]    relink a finished mod_python.so (default: the installed one) into $(OUT)/'
	@echo 'make relink TREE=D        relink a configured and built tree of mod_python, in a copy, into $(OUT)/'
	@echo 'make relink TREE=D OBJECTS=only   the same without compiling anything, of the objects alone'
	@echo 'make demo                 stock and relinked module side by side in a real Apache (under 2 minutes)'
	@echo 'make check                all tests'
	@echo 'make check-pythons        the interpreter path in each Python of PYTHONS="..." (default: those of pyenv)'
	@echo 'make check-python2        the same in Python 2.7 (PYTHON2=, on PATH, or of pyenv); part of make check'
	@echo 'make check-consumer       a C program that uses the library as a mod_python built with it does, under valgrind'
	@echo 'make check-host           the live tests on our own host in the shape of 3.1.x, relinked in each way; part of make check'
	@echo 'make check-shapes         those for the shapes of 3.1 to 3.5, relinked from source; part of make check'
	@echo 'make bench                the figures: ratios measured side by side'
	@echo 'make bench-pair           get_interpreter and release_interpreter beside the bare calls and stock, for PYTHON=, 2.7 too'
	@echo 'make header               the C header out of the Rust sources'
	@echo 'make install [DESTDIR= PREFIX= LIBDIR=]'
	@echo 'make clean'
	@echo 'PYTHON=/path/to/python    the Python that the module was built for, 2.7 or 3.9 to 3.14 (default $(PYTHON))'

# A static pattern: make does not look for pattern rules of phony targets.
$(PREREQUISITES): prerequisites-%:
	@sh packaging/prerequisites.sh $* $(PYTHON)

# The build: the static library and the command, then the shared library out of the former.
#
# pyo3-ffi must not link libpython into the static library (PYO3_BUILD_EXTENSION_MODULE), but the tests need it, hence
# a target directory of its own. The shared library names libpython itself: it stays loaded when Apache unloads
# mod_python.so at a restart, and what it uses must stay with it.
build: prerequisites-build
	@$(MAKE) --no-print-directory $(SHARED)

$(SHIP)/stamp: $(SOURCES)
	@echo "Building for Python $(PYVER), $(PYTHON)"
	PYO3_BUILD_EXTENSION_MODULE=1 MODPYTHON_CORE_LIBDIR=$(LIBDIR) \
	  $(CARGO) build --release --locked --target-dir $(SHIP_TARGET) $(FEATURES) --lib --bin modpython-relink
	@touch $@

target/shared/modpython_core.map: capi/modpython_core.symbols
	@mkdir -p $(@D)
	@{ echo 'MODPYTHON_CORE_0 { global:'; sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\).*/  \1;/p' $<; echo 'local: *; };'; } > $@

$(SHARED): $(SHIP)/stamp target/shared/modpython_core.map
	$(CC) -shared -o $@ \
	  -Wl,--whole-archive $(SHIP)/libmodpython_core.a -Wl,--no-whole-archive -Wl,--gc-sections \
	  -Wl,--version-script=target/shared/modpython_core.map -Wl,-soname=$(SONAME) \
	  -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,-z,defs -Wl,--build-id \
	  -L$(PYLIBDIR) -l:$(PYLIB) -lpthread -ldl -lm $(LDFLAGS)

# install, not cp: a server that runs with the old file would find its mapped pages rewritten.
ifeq ($(TREE),)
relink: build
	@mkdir -p $(OUT)
	@$(INSTALL) -m 755 $(SHARED) $(OUT)/$(SONAME)
	$(SHIP)/modpython-relink $(MODULE) --library $(OUT)/$(SONAME) --runpath '$$ORIGIN' --output $(OUT)/mod_python.so
else
RELINK_TREE = PYTHON='$(PYTHON)' CC='$(CC)' MAKE='$(MAKE)' OBJECTS='$(OBJECTS)' SHARED='$(SHARED)' sh packaging/relink-tree.sh
relink:
	@$(RELINK_TREE) check '$(TREE)'
	@$(MAKE) --no-print-directory prerequisites-tree
	@$(MAKE) --no-print-directory $(if $(FEATURES),$(SHIP)/stamp,build)
	@$(RELINK_TREE) link '$(TREE)' $(SHIP) target/relink-tree '$(OUT)'
endif

demo: prerequisites-demo relink
	@$(CARGO) run --release --locked --quiet -p modpython-live --bin demo

# The C header out of the sources; tests/header.rs fails where it is not up to date.
header: prerequisites-build
	MODPYTHON_CORE_WRITE_HEADER=1 $(CARGO) test --locked --test header

# Debian's Rust comes without rustfmt and clippy. What cannot be run for that reason is said, and is an error in CI.
comma := ,
if-there = if $(1) >/dev/null 2>&1; then set -x; $(3); else echo 'NOT RUN: $(2)'; test -z "$$CI"; fi

# `make check` prints the runners' own lines, and ends at the first that fails.
check: prerequisites-check relink
	@$(call if-there,$(CARGO) fmt --version,the formatting: no rustfmt,$(CARGO) fmt --all --check)
	@$(call if-there,$(CARGO) clippy --version,the lints: no clippy,\
	  $(CARGO) clippy --workspace --all-targets --locked -- -D warnings)
	RUSTFLAGS='--cfg loom' $(CARGO) test --profile model --locked --target-dir target/loom --lib --test model_pathlock
	@$(call if-there,rustc --version | awk '{ split($$2$(comma) v$(comma) "."); exit v[1] == 1 && v[2] < 87 }',\
	  random schedules: shuttle needs Rust 1.87,\
	  RUSTFLAGS='--cfg shuttle' $(CARGO) test --profile model --locked --target-dir target/shuttle \
	  --test model_pathlock_shuttle)
	MODPYTHON_CORE_LIBRARY=$(CURDIR)/$(SHARED) $(CARGO) test --locked
	@$(MAKE) --no-print-directory check-consumer
	$(CARGO) test --release --locked -p modpython-live -- --test-threads=1
	@$(MAKE) --no-print-directory check-python2
	@$(MAKE) --no-print-directory check-host
	@$(MAKE) --no-print-directory check-shapes

# Python 2.7, which mod_python 3.1 runs on; no release of Debian has it any more.
PYTHON2 ?= $(shell for python in python2.7 $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/2.7.*/bin/python2.7; do \
  $$python -c 'import sys; assert sys.version_info[:2] == (2, 7)' 2>/dev/null && command -v $$python && break; done)
CARGO2 = LD_LIBRARY_PATH=$(call ask2,sysconfig.get_config_var("LIBDIR")) PYTHONHOME=$(call ask2,sys.prefix) \
  PYO3_PYTHON=$(PYTHON2) $(CARGO)
ask2 = $(shell $(PYTHON2) -c 'import sys, sysconfig; print($(1))')
check-python2: prerequisites-check
ifeq ($(strip $(PYTHON2)),)
	@echo 'NOT RUN: Python 2.7 (none on PATH or under pyenv; one with a shared libpython can be named by PYTHON2=)'
	@test -z "$$CI"
else
	@$(MAKE) --no-print-directory build PYTHON=$(PYTHON2)
	@$(call if-there,$(CARGO) clippy --version,the lints for Python 2.7: no clippy,$(CARGO2) clippy --locked \
	  --target-dir target/python2 --no-default-features --lib --test rebind31 --test import_module --bench pair -- -D warnings)
	MODPYTHON_CORE_LIBRARY=$(CURDIR)/target/shared/libmodpython-core-py2.7.so.0 $(CARGO2) test --locked \
	  --target-dir target/python2 --no-default-features --test abi --test rebind31 --test import_module
	@$(MAKE) --no-print-directory check-consumer PYTHON=$(PYTHON2)
endif

# A program in C against the header, linked with the static and the shared library, under valgrind.
check-consumer: prerequisites-check build
	@PYTHON='$(PYTHON)' CC='$(CC)' sh tests/consumer/run.sh $(SHIP)/libmodpython_core.a $(SHARED) target/consumer/py$(PYVER)

# The live tests on the test host, relinked from source (S), and for Python 2.7 also from objects (O) and as a finished
# module (F): 3.1.x is finished for Python 2 alone. Tests that say nothing of the subject fail where they run; these are:
NOT_ON_HOST := stock_makes_more_even_without_a_race psp_and_publisher_pages_answer_under_load \
  published_pages_of_one_name_answer_each_for_its_directory wsgi_applications_of_one_name_answer_each_for_its_directory \
  stock_answers_from_the_other_directorys_wsgi_application stock_never_sees_a_new_version \
  stock_does_not_survive_a_graceful_restart_with_an_extension_module_loaded stock_shows_one_users_data_to_the_next
# The stock host is the same one for all ways; the others cannot be had without the source.
NOT_BY_S_ALONE := stock_ a_handler_is_added_to_a_phase_without_directives \
  a_handler_is_added_to_a_phase_with_directives_and_to_one_without
LIVE_HOSTS = target/live-hosts
# $(call live-host,PYTHON,DIRECTORY OF THE BUILD,WAY,NAME,TESTS TO LEAVE OUT,SHAPE,TEST PROGRAMS)
define live-host
	SHARED=$(if $(6),$(SHARED),target/shared/libmodpython-core-py2.7.so.0) CC='$(CC)' MAKE='$(MAKE)' APXS=$(APXS) \
	  sh tests/live/build-host.sh $(1) $(3) $(2)/release $(LIVE_HOSTS)/$(4) $(6)
	MODPYTHON_LIVE_HOST=$(CURDIR)/$(LIVE_HOSTS)/$(4) $(CARGO) test --release --locked -p modpython-live $(or $(7),--tests) -- \
	  --test-threads=1 --include-ignored $(addprefix --skip ,$(NOT_ON_HOST) $(5))
endef
check-host: prerequisites-check build
	$(call live-host,$(PYTHON),$(SHIP_TARGET),S,py$(PYVER)-S)
ifeq ($(strip $(PYTHON2)),)
	@echo 'NOT RUN: Python 2.7 (none on PATH or under pyenv; one with a shared libpython can be named by PYTHON2=)'
	@test -z "$$CI"
else
	@$(MAKE) --no-print-directory build PYTHON=$(PYTHON2)
	$(call live-host,$(PYTHON2),target/ship-py2.7,S,py2.7-S)
	$(call live-host,$(PYTHON2),target/ship-py2.7,O,py2.7-O,$(NOT_BY_S_ALONE))
	$(call live-host,$(PYTHON2),target/ship-py2.7,F,py2.7-F,$(NOT_BY_S_ALONE))
endif

# The generations that were built for Python 2 alone, and 3.5 for both, relinked from source; 3.1 has all tests above. What
# later generations have mended themselves their stock host does not show.
HOST_SHAPES := 3.1 3.2.8 3.2.10 3.3 3.4 3.5
MENDED_IN_3.2.8 := stock_crashes_with_directives_in_sections stock_crashes_when_a_handler_is_added \
  stock_runs_cleanups_of_the_server_elsewhere
MENDED_IN_3.2.10 = $(MENDED_IN_3.2.8)
MENDED_IN_3.3 := $(MENDED_IN_3.2.8) stock_hangs_when_a_busy_process_is_to_end stock_keeps_memory_for_each_phase \
  stock_keeps_what_each_request_leaves_in_its_thread
MENDED_IN_3.4 := $(MENDED_IN_3.3)
MENDED_IN_3.5 := $(MENDED_IN_3.3)
# It keeps its own importer: scripts of CGI go on as they were.
MENDED_IN_3.3 += scripts_ a_script_and stock_ruins_other_handlers_by_scripts
SHAPE_TESTS := --test host_generations --test host_defects --test host_leaks --test host_remedies --test host_cgi --test restarts --test switch
.PHONY: check-shapes $(addprefix check-shape-,$(HOST_SHAPES))
check-shapes: $(addprefix check-shape-,$(HOST_SHAPES))
	@$(MAKE) --no-print-directory check-shape-3.5 PYTHON=$(PYTHON) PYTHON2=$(PYTHON)

$(addprefix check-shape-,$(HOST_SHAPES)): check-shape-%: prerequisites-check
ifeq ($(strip $(PYTHON2)),)
	@echo 'NOT RUN: Python 2.7 (none on PATH or under pyenv; one with a shared libpython can be named by PYTHON2=)'
	@test -z "$$CI"
else
	@$(MAKE) --no-print-directory run-shape SHAPE=$* PYTHON=$(PYTHON2)
endif

# Those that there are finished modules of, for Python 2.7.
FINISHED_SHAPES := 3.2.8 3.2.10 3.3
.PHONY: run-shape
run-shape: build
	$(if $(filter $(SHAPE),$(FINISHED_SHAPES)),$(call live-host,$(PYTHON),$(SHIP_TARGET),F,py$(PYVER)-F-$(SHAPE),\
	  $(NOT_BY_S_ALONE) $(MENDED_IN_$(SHAPE)),$(SHAPE),$(SHAPE_TESTS)))
	$(call live-host,$(PYTHON),$(SHIP_TARGET),S,py$(PYVER)-S-$(SHAPE),$(MENDED_IN_$(SHAPE)),$(SHAPE),$(SHAPE_TESTS))

# Each Python is a build of its own; a libpython outside the system's folders has to be named to the loader.
PYTHONS ?= $(wildcard $(foreach minor,9 10 11 12 13 14,$(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.$(minor).*/bin/python3))
check-pythons: prerequisites-check
	@test -n '$(PYTHONS)' || { echo 'NOT RUN: no Python to check; name some by PYTHONS="/path/to/python3 ..."'; exit 1; }
	set -e; for python in $(PYTHONS); do echo "== $$python"; \
	  lib=$$($$python -c 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))'); \
	  home=$$($$python -c 'import sys; print(sys.base_prefix)'); \
	  LD_LIBRARY_PATH=$$lib PYTHONHOME=$$home PYO3_PYTHON=$$python $(CARGO) test --locked --target-dir target/pythons \
	    --test rebind35 --test import_module; \
	done

bench: prerequisites-demo relink
	$(CARGO) bench --locked --bench registry
	$(CARGO) bench --locked --bench acquire
	@$(MAKE) --no-print-directory bench-pair
	$(CARGO) bench --locked --bench import_hit
	$(CARGO) run --release --locked --quiet -p modpython-live --bin bench

bench-pair: build
	LD_LIBRARY_PATH=$(PYLIBDIR) PYTHONHOME=$(call ask,sys.prefix) MODPYTHON_CORE_LIBRARY=$(CURDIR)/$(SHARED) \
	  $(CARGO) bench --locked $(FEATURES) --target-dir $(if $(FEATURES),target/python2,target) --bench pair

# Packagers: DESTDIR= is a prefix for the files alone, LIBDIR= also what modpython-relink looks for and enters into
# modules, so it is the same in `make` and in `make install`.
install: build
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man7
	$(INSTALL) -m 644 $(SHARED) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libmodpython-core-py$(PYVER).so
	$(INSTALL) -m 644 $(SHIP)/libmodpython_core.a $(DESTDIR)$(LIBDIR)/libmodpython-core-py$(PYVER).a
	$(INSTALL) -m 755 $(SHIP)/modpython-relink $(DESTDIR)$(BINDIR)/modpython-relink
	$(INSTALL) -m 644 docs/modpython-relink.1 $(DESTDIR)$(MANDIR)/man1/modpython-relink.1
	$(INSTALL) -m 644 docs/modpython-core.7 $(DESTDIR)$(MANDIR)/man7/modpython-core.7
	$(INSTALL) -d $(DESTDIR)$(INCLUDEDIR)/modpython-core
	$(INSTALL) -m 644 capi/include/modpython-core/*.h $(DESTDIR)$(INCLUDEDIR)/modpython-core
	sed -e 's|@LIBDIR@|$(LIBDIR)|;s|@INCLUDEDIR@|$(INCLUDEDIR)|;s|@PYVER@|$(PYVER)|g;s|@VERSION@|$(VERSION)|' \
	  capi/modpython-core.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/modpython-core-py$(PYVER).pc
	ln -sf modpython-core-py$(PYVER).pc $(DESTDIR)$(LIBDIR)/pkgconfig/modpython-core.pc

clean:
	rm -rf target
