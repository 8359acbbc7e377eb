# The part of the Makefile that tests: `make help` says what there is, tests/README.md what each proves.

LIVE = $(CARGO) test --profile model $(CARGO_FLAGS) -p modpython-live
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
NO_PYTHON2 = echo 'NOT RUN: Python 2.7 (none on PATH or under pyenv; one with a shared libpython can be named by PYTHON2=)'; test -z "$$CI"
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
	@$(MAKE) --no-print-directory check-lookalike WAY_TESTS=
	@$(MAKE) --no-print-directory check-shapes WAY_TESTS=
	@$(MAKE) --no-print-directory check-pythons PYTHONS='$(ALL_PYTHONS)'
	@$(call if-there,$(CARGO) deny --version,cargo deny: cargo install cargo-deny,$(CARGO) deny --workspace check licenses bans sources)
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
	@$(NO_PYTHON2)
else
	@$(MAKE) --no-print-directory build PYTHON=$(PYTHON2)
	@$(call if-there,$(CARGO) clippy --version,the lints for Python 2.7: no clippy,$(CARGO2) clippy $(CARGO_FLAGS) \
	  --target-dir target/python2 --no-default-features --lib --test rebind31 --test import_module --bench pair -- -D warnings)
	@$(BOTH) check-library2 check-consumer PYTHON=$(PYTHON2) PYTHON2=$(PYTHON2)
endif

# The tests of code that lowering changes; LOWERED_TESTS= for all.
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

# The live tests on the look-alike in the shape of 3.1, relinked for Python 2.7 from source, from objects and as a
# finished module. Each test knows where it says something. Where another way has run all of them, those are left that
# look at what a way of relinking can change; `make check-long` runs all everywhere, and this shape for Python 3 too.
LOOKALIKES = target/lookalikes
WAY_TESTS ?= cold_start::three lookalike_defects lookalike_generations lookalike_remedies replacements
# $(call live-lookalike,PYTHON,DIRECTORY OF THE BUILD,WAY,NAME,SHAPE,PARTS OF NAMES OF TESTS)
define live-lookalike
	SHARED=$(if $(5),$(SHARED),target/py2.7/libmodpython-core-py2.7.so.0) CC='$(CC)' MAKE='$(MAKE)' APXS=$(APXS) \
	  sh tests/live/build-lookalike.sh $(1) $(3) $(2)/release $(LOOKALIKES)/$(4) $(5)
	MODPYTHON_LIVE_LOOKALIKE=$(CURDIR)/$(LOOKALIKES)/$(4) $(LIVE) $(if $(6),-- $(6))
endef
check-lookalike: prerequisites-check build
ifneq ($(and $(strip $(PYTHON2)),$(WAY_TESTS)),)
	@echo 'For Python 2.7; with Python 3 it is part of make check-long.'
else
	$(call live-lookalike,$(PYTHON),$(BUILD),source,py$(PYVER)-source)
endif
ifeq ($(strip $(PYTHON2)),)
	@$(NO_PYTHON2)
else
	@$(MAKE) --no-print-directory build PYTHON=$(PYTHON2)
	$(call live-lookalike,$(PYTHON2),target/py2.7,source,py2.7-source)
	$(call live-lookalike,$(PYTHON2),target/py2.7,objects,py2.7-objects,,$(WAY_TESTS))
	$(call live-lookalike,$(PYTHON2),target/py2.7,finished,py2.7-finished,,$(WAY_TESTS))
endif

# The later generations, for Python 2.7, and 3.5 for Python 3 too; `make check-lookalike` has 3.1.
LOOKALIKE_SHAPES := 3.2.8 3.2.10 3.3 3.4 3.5
.PHONY: check-shapes $(addprefix check-shape-,$(LOOKALIKE_SHAPES))
# `make check` has the one of Debian 5 to 10 and the newest, `make check-long` all.
SHAPES ?= $(LOOKALIKE_SHAPES)
check-shapes: $(addprefix check-shape-,$(SHAPES))
	@$(MAKE) --no-print-directory check-shape-3.5 PYTHON=$(PYTHON) PYTHON2=$(PYTHON)

$(addprefix check-shape-,$(LOOKALIKE_SHAPES)): check-shape-%: prerequisites-check
ifeq ($(strip $(PYTHON2)),)
	@$(NO_PYTHON2)
else
	@$(MAKE) --no-print-directory run-shape SHAPE=$* PYTHON=$(PYTHON2)
endif

# Those that there are finished modules of, for Python 2.7.
FINISHED_SHAPES := 3.2.8 3.2.10 3.3
.PHONY: run-shape
run-shape: build
	$(if $(filter $(SHAPE),$(FINISHED_SHAPES)),$(call live-lookalike,$(PYTHON),$(BUILD),finished,py$(PYVER)-finished-$(SHAPE),$(SHAPE)))
	$(call live-lookalike,$(PYTHON),$(BUILD),source,py$(PYVER)-source-$(SHAPE),$(SHAPE),$(if $(filter $(SHAPE),$(FINISHED_SHAPES)),$(WAY_TESTS)))

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
