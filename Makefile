# The interface for people and packagers. `make help` says what there is.

PYTHON ?= /usr/bin/python3
MODULE ?=
CARGO ?= cargo
CC ?= cc
INSTALL ?= install
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=

# The Python of this build: its minor is part of the library's name, and its libpython is what a module must need.
export PYO3_PYTHON := $(PYTHON)
PYVER := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
PYLIBDIR := $(shell $(PYTHON) -c 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))' 2>/dev/null)
PYLIB := $(shell $(PYTHON) -c 'import sysconfig; print(sysconfig.get_config_var("INSTSONAME"))' 2>/dev/null)
SONAME := libmodpython-core-py$(PYVER).so.0

OUT := target/relinked
SHARED := target/lib/$(SONAME)
STATIC := target/ship/release/libmodpython_core.a
MAP := target/lib/modpython_core.map
RELINK := target/ship/release/modpython-relink
SOURCES := $(shell find src capi python build.rs Cargo.toml -type f 2>/dev/null)

# pyo3-ffi must not link libpython into the static library (PYO3_BUILD_EXTENSION_MODULE), but the tests need it, hence
# two target directories. The library that is linked below names libpython itself: it stays loaded when Apache unloads
# mod_python.so at a restart, and what it uses must stay with it.
SHIP := PYO3_BUILD_EXTENSION_MODULE=1 MODPYTHON_CORE_LIBDIR=$(LIBDIR) $(CARGO) build --release --locked \
	--target-dir target/ship

.PHONY: all
all: $(SHARED) $(RELINK)

$(STATIC) $(RELINK) &: $(SOURCES)
	$(SHIP) --lib --bin modpython-relink
	@touch $(STATIC) $(RELINK)

$(MAP): capi/modpython_core.symbols
	@mkdir -p $(@D)
	{ echo 'MODPYTHON_CORE_0 { global:'; sed -n 's/^[A-Za-z_].*/  &;/p' $<; echo 'local: *; };'; } > $@

$(SHARED): $(STATIC) $(MAP)
	$(CC) -shared -o $@ -Wl,--whole-archive $(STATIC) -Wl,--no-whole-archive -Wl,--gc-sections \
	  -Wl,--version-script=$(MAP) -Wl,-soname=$(SONAME) -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,--build-id \
	  -L$(PYLIBDIR) -l:$(PYLIB) -lpthread -ldl -lm $(LDFLAGS)

.PHONY: relink
relink: $(SHARED) $(RELINK)
	@mkdir -p $(OUT)
	cp $(SHARED) $(OUT)/$(SONAME)
	$(RELINK) $(MODULE) --library $(OUT)/$(SONAME) --runpath '$$ORIGIN' --output $(OUT)/mod_python.so

.PHONY: clean
clean:
	$(CARGO) clean
