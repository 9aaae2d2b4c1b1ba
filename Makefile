# Via: make | make run | make test | make property | make bench | make install | make check | make help
#
# One list of objects a room; rooms are explained in README.md. V=1 shows the commands.
# Nothing here asks the machine for anything before .ci/deps has run: run, test, bench and
# check install what is missing first, and only then call make again for the build.

BUILD   ?= build
CC      ?= gcc
PREFIX  ?= /usr/local
CFLAGS  ?= -O2 -g
SAN     ?=
CORES   ?= $(shell nproc)
Q       := $(if $(V),,@)

WARN    := -std=c11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wpointer-arith -Wformat=2 -Wvla
CPP     := -D_GNU_SOURCE -Iinclude -Iext -MMD -MP
HARDEN  := -fstack-protector-strong -fvisibility=hidden
PKG     := pkg-config
LIBS_CORE  = -lsodium -ljansson -larchive
LIBS_AGENT = -lmicrohttpd -lseccomp -lsqlite3 $(LIBS_CORE) -lpthread -lm

# -- rooms of the core, from the ground up --------------------------------------
BASE     := status buf error clock id log root io stage fs lock epoch json
IDENTITY := codec keyfile keyfolder keys jwt passphrase
RULES    := names assign lifecycle gates readiness remedy schedule
SQL      := sql
CONTROL  := access addon addon_set app audit backup binding chain chain_verify chain_walk damage env generation \
            instance key manifest mark moved operation options overlay profile prune purge reason release replica \
            restore schedule schema setting snapshot store token views witness
ARCHIVE  := member reader seal writer
PROVIDER := provider sqlite/capture sqlite/clone sqlite/copy sqlite/export sqlite/follow sqlite/growth sqlite/header \
            sqlite/hold sqlite/import sqlite/pace sqlite/pages sqlite/pin sqlite/place sqlite/restore \
            sqlite/source sqlite/storage sqlite/task sqlite/transfer sqlite/verify sqlite/watch
EFFECTS  := addon backup copies doctor doctor_audit doctor_backups doctor_exports doctor_files \
            doctor_host doctor_keys doctor_mend doctor_rows doctor_schema doctor_strays effects host \
            keys pack restore schedule step
VFS      := refusal policy context guard file open vfs
TABLES   := addons apps backups bindings cursor deploys engine env findings gates generations hub \
            instances keys newfile readiness records releases restores row snapshots storage
CORE := $(BASE:%=ext/base/%) $(IDENTITY:%=ext/identity/%) $(RULES:%=ext/rules/%) \
        $(SQL:%=ext/sql/%) $(CONTROL:%=ext/control/%) $(PROVIDER:%=ext/provider/%) \
        $(ARCHIVE:%=ext/archive/%) \
        $(EFFECTS:%=ext/effects/%) $(VFS:%=ext/vfs/%) $(TABLES:%=ext/tables/%) ext/via

# -- rooms of the agent, the client and the command line ------------------------
CONFINE := calls files user
HTTP   := answer headers host listen server
PROXY  := sqlerror policy values statements functions budget conn lanes pool tokens run streams write
API    := agent keeper reply body sqlrequest gatecall sqlcall profiles configrequest configreply \
          config jwks routes
CLIENT := failure config transport encode result client
CLI    := main args nearest help verbs cli statement rows remedy agentfile addon readiness ensure \
          change progress snapshot restore backup bind app identity appstate appstatus appmend \
          env secret audit doctor keys status mend shell complete \
          run/launch run/instance run/place run/child run/environment run/token run/user run/sweep
AGENT   := $(CONFINE:%=agent/confine/%) $(HTTP:%=agent/http/%) $(PROXY:%=agent/proxy/%) $(API:%=agent/api/%) agent/viad
CLIENTS := $(CLIENT:%=agent/client/%)
CLIS    := $(CLI:%=agent/cli/%)

# The core is built twice: for the extension (calls through the host's table) and for
# programs that link SQLite themselves.
EXT_OBJ    := $(CORE:%=$(BUILD)/so/%.o)
CORE_OBJ   := $(CORE:%=$(BUILD)/core/%.o)
AGENT_OBJ  := $(AGENT:%=$(BUILD)/core/%.o)
CLI_OBJ    := $(CLIS:%=$(BUILD)/core/%.o)
CLIENT_OBJ := $(CLIENTS:%=$(BUILD)/so/%.o) $(BUILD)/so/ext/base/status.o $(BUILD)/so/ext/base/buf.o \
              $(BUILD)/so/ext/base/error.o $(BUILD)/so/ext/base/io.o $(BUILD)/so/ext/base/json.o

.PHONY: all
all: $(BUILD)/via.so $(BUILD)/viad $(BUILD)/via $(BUILD)/vary $(BUILD)/libvia.a $(BUILD)/libvia.so

$(BUILD)/via.so: $(EXT_OBJ)
	@echo "  LINK  $@"
	$(Q)$(CC) -shared -Wl,-z,relro,-z,now -Wl,--no-undefined $(SAN) -o $@ $^ $(LIBS_CORE) -lpthread

$(BUILD)/viad: $(AGENT_OBJ) $(CORE_OBJ)
	@echo "  LINK  $@"
	$(Q)$(CC) -pie -Wl,-z,relro,-z,now $(SAN) -o $@ $^ $(LIBS_AGENT)

$(BUILD)/via: $(CLI_OBJ) $(CORE_OBJ)
	@echo "  LINK  $@"
	$(Q)$(CC) -pie -Wl,-z,relro,-z,now $(SAN) -o $@ $^ -lsqlite3 $(LIBS_CORE) -lpthread -lm

$(BUILD)/vary: $(BUILD)/via
	$(Q)ln -sf via $@

$(BUILD)/libvia.a: $(CLIENT_OBJ)
	@echo "  AR    $@"
	$(Q)rm -f $@ && ar qcs $@ $^

$(BUILD)/libvia.so: $(CLIENT_OBJ)
	@echo "  LINK  $@"
	$(Q)$(CC) -shared -Wl,-z,relro,-z,now $(SAN) -o $@ $^ -lcurl -ljansson

$(BUILD)/so/%.o: %.c Makefile
	@echo "  CC    $<"
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(WARN) $(CPP) $(HARDEN) $(SAN) -fPIC -c -o $@ $<

$(BUILD)/core/%.o: %.c Makefile
	@echo "  CC    $< (core)"
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(WARN) $(CPP) $(HARDEN) $(SAN) -fPIE -DSQLITE_CORE -Iagent -c -o $@ $<

# C tests and benchmarks take what they need out of one archive of everything.
$(BUILD)/libtest.a: $(CORE_OBJ) $(AGENT_OBJ) $(CLI_OBJ) $(CLIENTS:%=$(BUILD)/so/%.o)
	@echo "  AR    $@"
	$(Q)rm -f $@ && ar qcsT $@ $^

$(BUILD)/tests/%: tests/%.c $(BUILD)/libtest.a Makefile
	@echo "  TEST  $@"
	@mkdir -p $(@D) && rm -f $@
	$(Q)$(CC) $(CFLAGS) $(WARN) $(CPP) $(SAN) -DSQLITE_CORE -Iagent -Itests -MF $@.d -o $@ $< \
	    $(BUILD)/libtest.a -lcurl $(LIBS_AGENT)

# -- the Tcl package ---------------------------------------------------------------
TCL_SCRIPTS := pkgIndex via scan local schema
TCL_PACKAGE := $(TCL_SCRIPTS:%=$(BUILD)/tcl/%.tcl) $(BUILD)/tcl/libtclvia.so

all: $(TCL_PACKAGE)

$(BUILD)/tcl/%.tcl: tcl/via/%.tcl
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(BUILD)/so/tcl/via/tclvia.o: CPP += -DUSE_TCL_STUBS $(shell $(PKG) --cflags tcl 2>/dev/null)

$(BUILD)/tcl/libtclvia.so: $(BUILD)/so/tcl/via/tclvia.o $(CLIENT_OBJ)
	@echo "  LINK  $@"
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -Wl,-Bsymbolic,-z,relro,-z,now $(SAN) -o $@ $^ -ltclstub8.6 -lcurl -ljansson

-include $(BUILD)/so/tcl/via/tclvia.d

# -- what a person types ---------------------------------------------------------
PORT       ?= 8080
AGENT_PORT ?=
STATE      ?= ./state
TESTS      ?=

.PHONY: run test faults property bench check bigdb ci help
run:
	@.ci/deps build run
	@$(MAKE) --no-print-directory -j$(CORES) all
	@exec env --default-signal=INT BUILD='$(BUILD)' PORT='$(PORT)' AGENT_PORT='$(AGENT_PORT)' \
	    STATE='$(STATE)' tcl/demo.sh

test:
	@.ci/deps build run test
	@$(MAKE) --no-print-directory -j$(CORES) all
	@BUILD='$(abspath $(BUILD))' tests/run $(TESTS)

faults:
	@.ci/deps build run test
	@$(MAKE) --no-print-directory -j$(CORES) all
	@BUILD='$(abspath $(BUILD))' VIA_FAULT_POINTS=all VIA_TEST_LIMIT_S=14400 \
	    tests/run $(or $(TESTS),tests/fault)

STEPS ?= 1000000
SEED  ?=
property:
	@.ci/deps build
	@$(MAKE) --no-print-directory -j$(CORES) all $(BUILD)/tests/attack/test_property
	@BUILD='$(BUILD)' $(BUILD)/tests/attack/test_property $(STEPS) $(SEED)

bench:
	@.ci/deps build run bench
	@$(MAKE) --no-print-directory -j$(CORES) all
	@BUILD='$(abspath $(BUILD))' tests/bench/run $(TESTS)

check:
	@.ci/deps build run test check
	@BUILD='$(BUILD)' .ci/check

ci:
	@.ci/run

# A database of believable shape: make bigdb FILE=big.sqlite MB=200
FILE ?= $(BUILD)/big.sqlite
MB   ?= 200
bigdb:
	@mkdir -p $(dir $(FILE))
	@tests/bigdb $(FILE) $(MB)

help:
	@sed -n 's/^#: \{0,1\}//p' Makefile
#: make              build/via.so, viad, via, vary, libvia, the Tcl package
#: make run          the demonstration: http://127.0.0.1:8080/ (PORT= AGENT_PORT= STATE=)
#: make test         the whole suite (TESTS='vfs cli/create' runs what matches)
#: make faults       every operation with a fault at each of its system calls (TESTS=fault_addon)
#: make property     random changes and operations against a model of the gates (STEPS= SEED=)
#: make bench        speed and memory, as ratios
#: make check        format, lint, clang, include levels, sanitizers
#: make bigdb        a database to import (FILE=build/big.sqlite MB=200)
#: make install      into PREFIX=/usr/local (DESTDIR=); make uninstall takes it away
#: make clean        removes the build folder
#: Everywhere: V=1 shows commands, BUILD=dir builds elsewhere, SAN=-fsanitize=… instruments.

.PHONY: install uninstall
HEADERS := via.h
COMPLETIONS := bash-completion/completions/via bash-completion/completions/vary \
    zsh/site-functions/_via fish/vendor_completions.d/via.fish fish/vendor_completions.d/vary.fish
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/via $(DESTDIR)$(PREFIX)/include/via
	install -m 755 $(BUILD)/via $(BUILD)/viad $(DESTDIR)$(PREFIX)/bin
	ln -sf via $(DESTDIR)$(PREFIX)/bin/vary
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/,$(dir $(COMPLETIONS)))
	$(BUILD)/via completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/via
	ln -sf via $(DESTDIR)$(PREFIX)/share/bash-completion/completions/vary
	$(BUILD)/via completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_via
	$(BUILD)/via completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/via.fish
	ln -sf via.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/vary.fish
	install -m 755 $(BUILD)/via.so $(DESTDIR)$(PREFIX)/lib/via
	install -m 644 $(BUILD)/libvia.a $(BUILD)/libvia.so $(DESTDIR)$(PREFIX)/lib
	install -m 644 $(HEADERS:%=include/via/%) $(DESTDIR)$(PREFIX)/include/via
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d
	sed 's#@PREFIX@#$(PREFIX)#' agent/pkg/viad.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/viad.service
	install -m 644 agent/pkg/via.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/via.conf
	if [ -d $(BUILD)/tcl ]; then install -d $(DESTDIR)$(PREFIX)/lib/tcltk/via && \
	    install -m 644 $(BUILD)/tcl/* $(DESTDIR)$(PREFIX)/lib/tcltk/via; fi

uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,via viad vary)
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/lib/,libvia.a libvia.so systemd/system/viad.service \
	    sysusers.d/via.conf)
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/share/,$(COMPLETIONS))
	rm -rf $(addprefix $(DESTDIR)$(PREFIX)/,lib/via lib/tcltk/via include/via)

-include $(EXT_OBJ:.o=.d) $(CORE_OBJ:.o=.d) $(AGENT_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(CLIENT_OBJ:.o=.d)

.PHONY: clean
clean:
	$(Q)rm -rf $(BUILD)
