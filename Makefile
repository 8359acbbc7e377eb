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
.PHONY: all help build compile link relink header demo test lint check check-long check-fuzz check-suites check-build check-product check-ways check-pythons check-library check-python2 check-library2 check-consumer check-lookalike \
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
	@echo 'make check-lookalike     the live tests on our own look-alike, relinked in each way; part of make check (WAY_TESTS= for all)'
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
prerequisites-build prerequisites-tree: $(if $(filter check check-python% check-consumer check-lookalike,$(MAKECMDGOALS)),prerequisites-check)
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
	@sh tests/build/sizes.sh
	@$(call if-there,$(CARGO) fmt --version,the formatting: no rustfmt,$(CARGO) fmt --all --check)
	@$(call if-there,$(CARGO) clippy --version,the lints: no clippy,\
	  $(CARGO) clippy --workspace --all-targets $(CARGO_FLAGS) -- -D warnings)
	RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' $(CARGO) doc $(CARGO_FLAGS) --workspace --no-deps --document-private-items
	@$(call if-there,shellcheck --version,the lints of the shell scripts: no shellcheck,shellcheck -S warning $(SHELL_FILES))
	@PYTHON=$(PYTHON) sh tests/build/python-lint.sh $(PYTHON_FILES)

# The model-checked parts once more as they are, the interpreter path in an embedded Python, the command on files.
STOCK_MODULE := $(wildcard /usr/lib/apache2/modules/mod_python.so)
test: build
	@$(MAKE) --no-print-directory lint
	MODPYTHON_CORE_LIBRARY=$(CURDIR)/$(SHARED) MODPYTHON_CORE_LIBDIR=/nonexistent $(CARGO) test $(CARGO_FLAGS) \
	  $(if $(STOCK_MODULE),,--lib --bins $(patsubst tests/%.rs,--test %,$(filter-out tests/relink.rs,$(wildcard tests/*.rs))))
	@$(if $(STOCK_MODULE),,echo 'NOT RUN: the tests of the command (libapache2-mod-python is not installed)'; test -z "$$CI")
	@sh tests/build/prerequisites.sh

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
	@$(MAKE) --no-print-directory check-lookalike
	@$(MAKE) --no-print-directory check-shapes SHAPES=3.3
	@$(MAKE) --no-print-directory check-build

# Each release with what it brings, in a folder that is made anew.
SUITES ?= bookworm-root bookworm-user bookworm bullseye sid bookworm-packages bullseye-packages sid-packages
check-suites:
	sh tests/suites/run.sh $(SUITES)

# What those are made of.
include tests/check.mk

# MODPYTHON_LIVE_LOOKALIKE=target/lookalikes/... has it on the look-alike, once `make check-lookalike` has made that.
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
