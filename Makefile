# The interface for people and packagers; `make help` says what there is.

MODULE ?=
TREE ?=
OBJECTS ?=
# A tree is for one Python, and says which.
ifneq ($(TREE),)
PYTHON ?= $(or $(shell sed -n 's/^PYTHON_BIN *= *//p' '$(TREE)/Makefile' 2>/dev/null),/usr/bin/python3)
endif
# `make install` is for the Python that `make` was for.
PYTHON ?= $(or $(if $(filter install uninstall,$(MAKECMDGOALS)),$(shell cat target/python 2>/dev/null)),/usr/bin/python3)
CARGO ?= cargo
# Given to each call of cargo that builds; CARGO_FLAGS= does without the lock file, CARGO_FLAGS='--locked --offline'
# without the network.
CARGO_FLAGS ?= --locked
CC ?= cc
INSTALL ?= install
APXS ?= $(firstword $(wildcard /usr/bin/apxs2 /usr/bin/apxs /usr/sbin/apxs))
DESTDIR ?=
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man

# The Python of this build: its minor is part of the library's name, and a module must need its libpython. Each has a
# target folder of its own, and Python 2.7 is built without the default features.
export PYO3_PYTHON := $(PYTHON)
# What an embedding interpreter would otherwise take from a shell: stale bytecode must not hide, and no other Python's
# folder may come in.
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# sysconfig was a part of distutils before 2.7.
ASK = import sys; sysconfig = __import__(sys.version_info >= (2, 7) and "sysconfig" or "distutils.sysconfig", {}, {}, "*")
ask = $(shell $(PYTHON) -c '$(ASK); print($(1))' 2>/dev/null)
PYVER = $(call ask,"%d.%d" % sys.version_info[:2])
PYLIBDIR = $(call ask,sysconfig.get_config_var("LIBDIR"))
PYLIB = $(call ask,sysconfig.get_config_var("INSTSONAME") or "")
SONAME = libmodpython-core-py$(PYVER).so.0
INCLUDEDIR ?= $(PREFIX)/include
COMPLETIONS = $(PREFIX)/share
# Installed files have no debugging information; STRIP=: leaves it in them.
STRIP ?= strip

OUT ?= target/relinked
# Asked for when a recipe runs: on a bare machine there is no Python before the prerequisites are there.
BUILD = target/py$(PYVER)
SHIP = $(BUILD)/release
SHARED = $(BUILD)/$(SONAME)
BUILT = PYTHON=$(PYTHON) LIBDIR=$(LIBDIR)
FEATURES = $(if $(filter 2.%,$(PYVER)),--no-default-features)

PREREQUISITES := prerequisites-tree prerequisites-build prerequisites-demo prerequisites-check
.PHONY: all help build compile link relink header demo test lint check check-long check-fuzz check-suites check-build check-product check-ways check-pythons check-library check-python2 check-library2 check-consumer check-host \
  soak bench bench-pair install uninstall clean $(PREREQUISITES)

all: build

help:
	@echo 'make                      build the library and the command'
	@echo 'make relink [MODULE=F]    relink a finished mod_python.so (default: the installed one) into $(OUT)/'
	@echo 'make relink TREE=D        relink a configured and built tree of mod_python, in a copy, into $(OUT)/'
	@echo 'make relink TREE=D OBJECTS=only   the same without compiling anything, of the objects alone'
	@echo 'make demo                 stock and relinked module side by side in a real Apache (under 2 minutes)'
	@echo 'make test                 the tests that need no Apache, and the lints; "cargo test NAME" runs one'
	@echo 'make lint                 the lints: Rust, its documentation, Python, shell'
	@echo 'make check                all tests, in about 40 minutes'
	@echo 'make check-suites         Debian bookworm, bullseye and sid in debootstrap folders, as root (SUITES="...")'
	@echo 'make check-pythons        the interpreter path in each Python of PYTHONS="..." (default: the oldest and the newest of pyenv)'
	@echo 'make check-python2        the same in Python 2.7 (PYTHON2=, on PATH, or of pyenv); part of make check'
	@echo 'make check-long [LONG=1800]  real applications under load, and random trees of modules against a reference for so many seconds'
	@echo 'make check-fuzz [FUZZ="-max_total_time=60"]  inputs of any bytes for the command and the settings; part of make check-long'
	@echo 'make check-consumer       a C program that uses the library as a mod_python built with it does, under valgrind'
	@echo 'make check-host           the live tests on our own host in the shape of 3.1.x, relinked in each way; part of make check (WAY_TESTS= for all)'
	@echo 'make check-build          the build and the installation, with two Pythons; part of make check'
	@echo 'make check-shapes         those for the shapes of 3.1 to 3.5; make check has them for SHAPES=3.3, and for 3.5 with Python 3'
	@echo 'make soak [MINUTES=10]    a mixed site under load with restarts, stock and relinked in turn (SOAK="--mpm event ...")'
	@echo 'make bench                the figures: ratios measured side by side'
	@echo 'make bench-pair           get_interpreter and release_interpreter beside the bare calls and stock, for PYTHON=, 2.7 too'
	@echo 'make header               the C header out of the Rust sources'
	@echo 'make install [DESTDIR= PREFIX= LIBDIR=]   for the Python that make was for; make uninstall with the same'
	@echo 'make clean'
	@echo 'PYTHON=/path/to/python    the Python that the module was built for, 2.4 to 2.7 or 3.9 to 3.14 (default $(PYTHON))'

# A static pattern: make does not look for pattern rules of phony targets. Under make -j the goal's own, which are the
# most, come first.
$(PREREQUISITES): prerequisites-%:
	@CC='$(CC)' CARGO='$(CARGO)' sh packaging/prerequisites.sh $* $(PYTHON)
prerequisites-build prerequisites-tree: $(if $(filter check check-python% check-consumer check-host,$(MAKECMDGOALS)),prerequisites-check)
prerequisites-build prerequisites-tree: $(if $(filter demo bench soak,$(MAKECMDGOALS)),prerequisites-demo)

# The build: the static library and the command, then the shared library out of the former.
#
# cargo decides what is stale: it knows the sources, the Python (PYO3_PYTHON) and the folder that goes into the command
# (MODPYTHON_CORE_LIBDIR). So it runs each time, and what it leaves is linked each time; a file that comes out the same
# stays, with its time.
#
# pyo3-ffi must not link libpython into the static library (PYO3_BUILD_EXTENSION_MODULE), but the tests need it, hence
# they have another target folder. The shared library names libpython itself, so that it can be loaded before the
# module.
build: prerequisites-build
	@$(MAKE) --no-print-directory link
	$(if $(filter 0,$(MAKELEVEL)),$(if $(filter-out all build,$(MAKECMDGOALS)),,@echo '$(PYTHON)' > target/python))

# The same source gives the same bytes, in whatever folder: no path of this machine goes into them.
CARGO_HOME_HERE = $(or $(CARGO_HOME),$(HOME)/.cargo)
REMAP = $(strip $(RUSTFLAGS) --remap-path-prefix=$(CARGO_HOME_HERE)=/cargo --remap-path-prefix=$(CURDIR)=/modpython-core)

compile:
	@echo "Building for Python $(PYVER), $(PYTHON)"
	@test -n '$(PYVER)' || { echo "PYTHON=$(PYTHON) is no Python that runs" >&2; exit 1; }
	PYO3_BUILD_EXTENSION_MODULE=1 RUSTFLAGS='$(REMAP)' MODPYTHON_CORE_LIBDIR=$(LIBDIR) \
	  $(CARGO) build --release $(CARGO_FLAGS) --target-dir $(BUILD) $(FEATURES) --lib --bin modpython-relink
	@for line in python=$(PYVER) libpython=$(PYLIB); do grep -aqx "$$line" $(SHIP)/libmodpython_core.a || \
	  { echo "$(SHIP)/libmodpython_core.a is for another Python: $$line is not in its build information" >&2; exit 1; }; done
	@echo '$(BUILT)' > $(BUILD)/built

link: compile
	@{ echo 'MODPYTHON_CORE_0 { global:'; sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\).*/  \1;/p' capi/modpython_core.symbols; \
	  echo 'local: *; };'; } > $(BUILD)/modpython_core.map
	$(CC) -shared -o $(SHARED).new \
	  -Wl,--whole-archive $(SHIP)/libmodpython_core.a -Wl,--no-whole-archive -Wl,--gc-sections \
	  -Wl,--version-script=$(BUILD)/modpython_core.map -Wl,-soname=$(SONAME) \
	  -Wl,-z,relro -Wl,-z,now -Wl,-z,defs -Wl,--build-id \
	  -L$(PYLIBDIR) -l:$(PYLIB) -lpthread -ldl -lm $(LDFLAGS)
	@if cmp -s $(SHARED).new $(SHARED); then rm $(SHARED).new; else mv $(SHARED).new $(SHARED); fi

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
	@$(MAKE) --no-print-directory $(if $(FEATURES),compile,link)
	@$(RELINK_TREE) link '$(TREE)' $(SHIP) target/relink-tree '$(OUT)'
endif

demo: prerequisites-demo relink
	@$(CARGO) run --release $(CARGO_FLAGS) --quiet -p modpython-live --bin demo

# The C header out of the sources; tests/header.rs fails where it is not up to date.
header: prerequisites-build
	MODPYTHON_CORE_WRITE_HEADER=1 $(CARGO) test $(CARGO_FLAGS) --test header

# Debian's Rust comes without rustfmt and clippy. What cannot be run for that reason is said, and is an error in CI.
comma := ,
if-there = if $(1) >/dev/null 2>&1; then set -x; $(3); else echo 'NOT RUN: $(2)'; test -z "$$CI"; fi

SHELL_FILES = .ci/run $(wildcard packaging/*.sh packaging/debian/*.p[or]*[a-z] packaging/debian/tests/serves tests/*/*.sh)
PYTHON_FILES = python tests/python tests/live/python tests/suites
lint: prerequisites-build
	@sh tests/build/width.sh
	@$(call if-there,$(CARGO) fmt --version,the formatting: no rustfmt,$(CARGO) fmt --all --check)
	@$(call if-there,$(CARGO) clippy --version,the lints: no clippy,\
	  $(CARGO) clippy --workspace --all-targets $(CARGO_FLAGS) -- -D warnings)
	RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' $(CARGO) doc $(CARGO_FLAGS) --workspace --no-deps --document-private-items
	@$(call if-there,shellcheck --version,the lints of the shell scripts: no shellcheck,shellcheck -S warning $(SHELL_FILES))
	@PYTHON=$(PYTHON) sh tests/build/python-lint.sh $(PYTHON_FILES)

# The model-checked parts once more as they are, the interpreter path in an embedded Python, the command on files.
STOCK_MODULE := $(wildcard /usr/lib/apache2/modules/mod_python.so)
test: build
	@sh tests/build/width.sh
	@$(call if-there,$(CARGO) fmt --version,the formatting: no rustfmt,$(CARGO) fmt --all --check)
	MODPYTHON_CORE_LIBRARY=$(CURDIR)/$(SHARED) MODPYTHON_CORE_LIBDIR=/nonexistent $(CARGO) test $(CARGO_FLAGS) \
	  $(if $(STOCK_MODULE),,--lib --bins $(patsubst tests/%.rs,--test %,$(filter-out tests/relink.rs,$(wildcard tests/*.rs))))
	@$(if $(STOCK_MODULE),,echo 'NOT RUN: the tests of the command (libapache2-mod-python is not installed)'; test -z "$$CI")
	@sh tests/build/prerequisites.sh
	@$(MAKE) --no-print-directory lint

LIVE = $(CARGO) test --profile model $(CARGO_FLAGS) -p modpython-live
# `make check` prints the runners' own lines, and ends at the first that fails.
check: prerequisites-check relink lint
	RUSTFLAGS='--cfg loom' $(CARGO) test --profile model $(CARGO_FLAGS) --target-dir target/loom --lib --test model_pathlock --test model_import
	@$(call if-there,rustc --version | awk '{ split($$2$(comma) v$(comma) "."); exit v[1] == 1 && v[2] < 87 }',\
	  random schedules: shuttle needs Rust 1.87,\
	  RUSTFLAGS='--cfg shuttle' $(CARGO) test --profile model $(CARGO_FLAGS) --target-dir target/shuttle \
	  --test model_pathlock_shuttle)
	@$(BOTH) check-library check-consumer
	$(CARGO) test --profile model $(CARGO_FLAGS) --test rebind35 -- signal_handler
	$(LIVE)
	$(CARGO) run --profile model $(CARGO_FLAGS) -p modpython-live --bin soak -- --minutes 1 --stock-minutes 0 --mpm event
	@$(MAKE) --no-print-directory check-python2
	@$(MAKE) --no-print-directory check-host
	@$(MAKE) --no-print-directory check-shapes SHAPES=3.3
	@$(MAKE) --no-print-directory check-build

# Two at once that wait much, and measure no time; each one's lines come together.
BOTH = $(MAKE) --no-print-directory -j2 --output-sync=target

check-library: build
	MODPYTHON_CORE_LIBRARY=$(CURDIR)/$(SHARED) MODPYTHON_CORE_LIBDIR=/nonexistent $(CARGO) test $(CARGO_FLAGS)

# The build and the installation themselves. Two Pythons: the second is any other that there is.
OTHER ?= $(firstword $(filter-out $(wildcard $(dir $(PYTHON))python$(PYVER)) %/python$(PYVER),\
  $(wildcard $(foreach minor,9 10 11 12 13 14,/usr/bin/python3.$(minor) $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.$(minor).*/bin/python3.$(minor)))))
check-build: build
	sh tests/build/prerequisites.sh
	@$(BOTH) check-product check-ways

check-product:
	sh tests/build/product.sh $(PYTHON)

check-ways:
ifeq ($(OTHER),)
	@echo 'NOT RUN: two Pythons in one folder (no second Python 3 with a shared libpython; one can be named by OTHER=)'
	@test -z "$$CI"
else
	sh tests/build/run.sh $(PYTHON) $(OTHER)
endif

# Python 2.7, which mod_python 3.1 runs on; no release of Debian has it any more.
PYTHON2 ?= $(shell for python in python2.7 $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/2.7.*/bin/python2.7; do \
  $$python -c 'import sys; assert sys.version_info[:2] == (2, 7)' 2>/dev/null && command -v $$python && break; done)
CARGO2 = LD_LIBRARY_PATH=$(call ask2,sysconfig.get_config_var("LIBDIR")) PYTHONHOME=$(call ask2,sys.prefix) \
  PYO3_PYTHON=$(PYTHON2) $(CARGO)
ask2 = $(shell $(PYTHON2) -c 'import sys, sysconfig; print($(1))')
# Real applications, for as long as it takes to see what is rare: stock's figures beside ours in every MPM.
check-long: prerequisites-check relink
	MODPYTHON_LIVE_LONG=1 $(CARGO) test --release $(CARGO_FLAGS) -p modpython-live -- apps:: apps_memory::
	$(CARGO) test $(CARGO_FLAGS) --test rebind35 --no-run
	sh tests/rebind/valgrind.sh "$$(ls -t target/debug/deps/rebind35-* | grep -v '\.d$$' | head -1)"
	$(ORACLE) $(CARGO) test $(CARGO_FLAGS) --test import_module -- oracle
ifneq ($(strip $(PYTHON2)),)
	$(ORACLE) $(CARGO2) test $(CARGO_FLAGS) --target-dir target/python2 --no-default-features --test import_module -- oracle
endif
	@$(MAKE) --no-print-directory check-python2 LOWERED_TESTS=
	@$(MAKE) --no-print-directory check-host WAY_TESTS=
	@$(MAKE) --no-print-directory check-shapes WAY_TESTS=
	@$(MAKE) --no-print-directory check-pythons PYTHONS='$(ALL_PYTHONS)'
	@$(MAKE) --no-print-directory check-fuzz

# Inputs that are new go below target/, beside those of the repository.
FUZZ ?= -max_total_time=60
check-fuzz:
	@$(CARGO) +nightly fuzz --version >/dev/null 2>&1 || { echo 'check-fuzz: it needs a nightly compiler and cargo-fuzz: rustup toolchain install nightly; cargo install cargo-fuzz' >&2; exit 1; }
	set -e; for target in elf anchors names settings; do mkdir -p target/fuzz/$$target; \
	  $(CARGO) +nightly fuzz run $$target target/fuzz/$$target fuzz/corpus/$$target -- $(FUZZ); \
	done

check-python2: prerequisites-check
ifeq ($(strip $(PYTHON2)),)
	@echo 'NOT RUN: Python 2.7 (none on PATH or under pyenv; one with a shared libpython can be named by PYTHON2=)'
	@test -z "$$CI"
else
	@$(MAKE) --no-print-directory build PYTHON=$(PYTHON2)
	@$(call if-there,$(CARGO) clippy --version,the lints for Python 2.7: no clippy,$(CARGO2) clippy $(CARGO_FLAGS) \
	  --target-dir target/python2 --no-default-features --lib --test rebind31 --test import_module --bench pair -- -D warnings)
	@$(BOTH) check-library2 check-consumer PYTHON=$(PYTHON2) PYTHON2=$(PYTHON2)
endif

# What takes the ways that lowering changes; LOWERED_TESTS= for all.
LOWERED_TESTS ?= test_basics test_cycles test_failures test_frames test_plain_imports
check-library2:
	MODPYTHON_CORE_LIBRARY=$(CURDIR)/target/py2.7/libmodpython-core-py2.7.so.0 $(CARGO2) test $(CARGO_FLAGS) \
	  --target-dir target/python2 --no-default-features --test abi --test rebind31 --test import_module
	@echo 'The shim in its form for Python 2.4:'
	$(CARGO2) test $(CARGO_FLAGS) --target-dir target/python2 --no-default-features --features lowered-shim --test import_module \
	  -- $(LOWERED_TESTS)

# The oracle of import_module, which `make check` runs for some seconds, for hours: 64 threads, trees not seen before,
# LONG seconds for each of the main interpreter and a sub-interpreter.
LONG ?= 1800
ORACLE = MODPYTHON_CORE_ORACLE_SECONDS=$(LONG) MODPYTHON_CORE_ORACLE_THREADS=64 \
  MODPYTHON_CORE_ORACLE_SEED=$$(date +%s)
# A program in C against the header, linked with the static and the shared library, under valgrind.
check-consumer: prerequisites-check build
	@PYTHON='$(PYTHON)' CC='$(CC)' sh tests/consumer/run.sh $(SHIP)/libmodpython_core.a $(SHARED) target/consumer/py$(PYVER)

# The live tests on the test host in the shape of 3.1, relinked for Python 2.7 from source, from objects and as a
# finished module. Each test knows where it says something. Where another way has run all of them, those are left that
# look at what a way of relinking can change; `make check-long` runs all everywhere, and this shape for Python 3 too.
LIVE_HOSTS = target/live-hosts
WAY_TESTS ?= cold_start::three host_defects host_generations host_remedies nesting phases replacements thread_states
# $(call live-host,PYTHON,DIRECTORY OF THE BUILD,WAY,NAME,SHAPE,PARTS OF NAMES OF TESTS)
define live-host
	SHARED=$(if $(5),$(SHARED),target/py2.7/libmodpython-core-py2.7.so.0) CC='$(CC)' MAKE='$(MAKE)' APXS=$(APXS) \
	  sh tests/live/build-host.sh $(1) $(3) $(2)/release $(LIVE_HOSTS)/$(4) $(5)
	MODPYTHON_LIVE_HOST=$(CURDIR)/$(LIVE_HOSTS)/$(4) $(LIVE) $(if $(6),-- $(6))
endef
check-host: prerequisites-check build
ifneq ($(and $(strip $(PYTHON2)),$(WAY_TESTS)),)
	@echo 'For Python 2.7; with Python 3 it is part of make check-long.'
else
	$(call live-host,$(PYTHON),$(BUILD),source,py$(PYVER)-source)
endif
ifeq ($(strip $(PYTHON2)),)
	@echo 'NOT RUN: Python 2.7 (none on PATH or under pyenv; one with a shared libpython can be named by PYTHON2=)'
	@test -z "$$CI"
else
	@$(MAKE) --no-print-directory build PYTHON=$(PYTHON2)
	$(call live-host,$(PYTHON2),target/py2.7,source,py2.7-source)
	$(call live-host,$(PYTHON2),target/py2.7,objects,py2.7-objects,,$(WAY_TESTS))
	$(call live-host,$(PYTHON2),target/py2.7,finished,py2.7-finished,,$(WAY_TESTS))
endif

# Each release with what it brings, in a folder that is made anew.
SUITES ?= bookworm-root bookworm-user bookworm bullseye sid bookworm-packages bullseye-packages sid-packages
check-suites:
	sh tests/suites/run.sh $(SUITES)

# The later generations, for Python 2.7, and 3.5 for Python 3 too; `make check-host` has 3.1.
HOST_SHAPES := 3.2.8 3.2.10 3.3 3.4 3.5
.PHONY: check-shapes $(addprefix check-shape-,$(HOST_SHAPES))
# `make check` has the one of Debian 5 to 10 and the newest, `make check-long` all.
SHAPES ?= $(HOST_SHAPES)
check-shapes: $(addprefix check-shape-,$(SHAPES))
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
	$(if $(filter $(SHAPE),$(FINISHED_SHAPES)),$(call live-host,$(PYTHON),$(BUILD),finished,py$(PYVER)-finished-$(SHAPE),$(SHAPE)))
	$(call live-host,$(PYTHON),$(BUILD),source,py$(PYVER)-source-$(SHAPE),$(SHAPE),$(if $(filter $(SHAPE),$(FINISHED_SHAPES)),$(WAY_TESTS)))

# Each Python is a build of its own; a libpython outside the system's folders has to be named to the loader. The oldest
# and the newest of pyenv's; `make check-long` has all.
ALL_PYTHONS = $(wildcard $(foreach minor,9 10 11 12 13 14,$(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.$(minor).*/bin/python3))
PYTHONS ?= $(sort $(firstword $(ALL_PYTHONS)) $(lastword $(ALL_PYTHONS)))
check-pythons: prerequisites-check
	@test -n '$(PYTHONS)' || { echo 'NOT RUN: no Python to check; name some by PYTHONS="/path/to/python3 ..."'; exit 1; }
	set -e; for python in $(PYTHONS); do echo "== $$python"; \
	  lib=$$($$python -c 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))'); \
	  home=$$($$python -c 'import sys; print(sys.base_prefix)'); \
	  LD_LIBRARY_PATH=$$lib PYTHONHOME=$$home PYO3_PYTHON=$$python $(CARGO) test $(CARGO_FLAGS) --target-dir target/pythons \
	    --test rebind35 --test import_module; \
	done

# MODPYTHON_LIVE_HOST=target/live-hosts/... has it on the test host, once `make check-host` has made that.
MINUTES ?= 10
SOAK ?=
soak: prerequisites-demo relink
	$(CARGO) run --release $(CARGO_FLAGS) -p modpython-live --bin soak -- --minutes $(MINUTES) $(SOAK)

bench: prerequisites-demo relink
	$(CARGO) bench $(CARGO_FLAGS) --bench registry
	$(CARGO) bench $(CARGO_FLAGS) --bench acquire
	@$(MAKE) --no-print-directory bench-pair
	$(CARGO) bench $(CARGO_FLAGS) --bench import_hit
	$(CARGO) bench $(CARGO_FLAGS) --bench import_load
	$(CARGO) run --release $(CARGO_FLAGS) --quiet -p modpython-live --bin bench

bench-pair: build
	LD_LIBRARY_PATH=$(PYLIBDIR) PYTHONHOME=$(call ask,sys.prefix) MODPYTHON_CORE_LIBRARY=$(CURDIR)/$(SHARED) \
	  $(CARGO) bench $(CARGO_FLAGS) $(FEATURES) --target-dir $(if $(FEATURES),target/python2,target) --bench pair

# Packagers: DESTDIR= is a prefix for the files alone, LIBDIR= also what modpython-relink looks for and enters into
# modules; `make install LIBDIR=` after `make` builds the command again for it. With sudo root may have no Rust: then
# what has been built for these settings is installed.
install:
	@if CARGO='$(CARGO)' sh packaging/prerequisites.sh rust $(PYTHON); then $(MAKE) --no-print-directory build PYTHON='$(PYTHON)'; \
	  else test "$$(cat $(BUILD)/built 2>/dev/null)" = '$(BUILT)' || { \
	    echo 'There is no Rust here, and the last build was not for $(BUILT):' >&2; \
	    echo 'run make with the same settings first, as the user who has it.' >&2; exit 1; }; fi
	@echo 'Installing for Python $(PYVER), $(PYTHON)$(if $(filter file,$(origin PYTHON)),; PYTHON= names another)'
	$(INSTALL) -d $(addprefix $(DESTDIR),$(LIBDIR)/pkgconfig $(BINDIR) $(MANDIR)/man1 $(MANDIR)/man7 \
	  $(INCLUDEDIR)/modpython-core $(dir $(COMPLETED)))
	$(INSTALL) -m 644 $(SHARED) $(DESTDIR)$(LIBDIR)/$(SONAME)
	$(STRIP) --strip-unneeded $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libmodpython-core-py$(PYVER).so
	$(INSTALL) -m 644 $(SHIP)/libmodpython_core.a $(DESTDIR)$(LIBDIR)/libmodpython-core-py$(PYVER).a
	$(STRIP) --strip-debug -D $(DESTDIR)$(LIBDIR)/libmodpython-core-py$(PYVER).a
	$(INSTALL) -m 755 $(SHIP)/modpython-relink $(DESTDIR)$(BINDIR)/modpython-relink
	$(STRIP) --strip-unneeded $(DESTDIR)$(BINDIR)/modpython-relink
	$(INSTALL) -m 644 docs/modpython-relink.1 $(DESTDIR)$(MANDIR)/man1/modpython-relink.1
	$(INSTALL) -m 644 docs/modpython-core.7 $(DESTDIR)$(MANDIR)/man7/modpython-core.7
	$(INSTALL) -m 644 packaging/completions/modpython-relink.bash $(DESTDIR)$(word 1,$(COMPLETED))
	$(INSTALL) -m 644 packaging/completions/_modpython-relink $(DESTDIR)$(word 2,$(COMPLETED))
	$(INSTALL) -m 644 packaging/completions/modpython-relink.fish $(DESTDIR)$(word 3,$(COMPLETED))
	$(INSTALL) -m 644 $(HEADERS) $(DESTDIR)$(INCLUDEDIR)/modpython-core
	sed -e 's|@LIBDIR@|$(LIBDIR)|;s|@INCLUDEDIR@|$(INCLUDEDIR)|;s|@PYVER@|$(PYVER)|g;s|@VERSION@|$(VERSION)|' \
	  -e "s|@PYNUMBER@|$$(echo '$(PYVER)' | awk -F. '{ print $$1 * 100 + $$2 }')|" \
	  -e 's|@RPATH@|$(if $(filter /usr/lib /usr/lib/% /usr/lib64,$(LIBDIR)),, -Wl,-rpath,$(LIBDIR))|' \
	  capi/modpython-core.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/modpython-core-py$(PYVER).pc
	ln -sf modpython-core-py$(PYVER).pc $(DESTDIR)$(LIBDIR)/pkgconfig/modpython-core.pc

HEADERS = $(wildcard capi/include/modpython-core/*.h)
COMPLETED = $(COMPLETIONS)/bash-completion/completions/modpython-relink $(COMPLETIONS)/zsh/site-functions/_modpython-relink \
  $(COMPLETIONS)/fish/vendor_completions.d/modpython-relink.fish
# What is one Python's, and what all share: that goes with the last of them. modpython-core.pc is for one that is there.
OF_PYTHON = $(addprefix $(LIBDIR)/,$(SONAME) libmodpython-core-py$(PYVER).so libmodpython-core-py$(PYVER).a \
  pkgconfig/modpython-core-py$(PYVER).pc)
OF_ALL = $(LIBDIR)/pkgconfig/modpython-core.pc $(BINDIR)/modpython-relink $(MANDIR)/man1/modpython-relink.1 \
  $(MANDIR)/man7/modpython-core.7 $(COMPLETED) $(addprefix $(INCLUDEDIR)/modpython-core/,$(notdir $(HEADERS)))
uninstall:
	rm -f $(addprefix $(DESTDIR),$(OF_PYTHON))
	@cd $(DESTDIR)$(LIBDIR)/pkgconfig 2>/dev/null || exit 0; \
	other=$$(ls modpython-core-py*.pc 2>/dev/null | head -n 1); \
	if [ -n "$$other" ]; then ln -sf "$$other" modpython-core.pc; echo "The command and the headers stay for $$other"; \
	else set -x; rm -f $(addprefix $(DESTDIR),$(OF_ALL)); rmdir $(DESTDIR)$(INCLUDEDIR)/modpython-core; fi

clean:
	rm -rf target
