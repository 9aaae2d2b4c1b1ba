# Via: make | make run | make test | make bench | make install | make check | make help
#
# One list of objects a room; rooms are explained in README.md. V=1 shows the commands.

BUILD   ?= build
CC      ?= gcc
PREFIX  ?= /usr/local
CFLAGS  ?= -O2 -g
SAN     ?=
Q       := $(if $(V),,@)

WARN    := -std=c11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wpointer-arith -Wformat=2 -Wvla
CPP     := -D_GNU_SOURCE -Iinclude -Iext -MMD -MP
HARDEN  := -fstack-protector-strong -fvisibility=hidden
PKG     := pkg-config
LIBS_CORE  = -lsodium -ljansson
LIBS_AGENT = -lmicrohttpd -lsqlite3 $(LIBS_CORE) -lpthread -lm

# -- rooms of the core, from the ground up --------------------------------------
BASE     := status buf error clock id log root fs lock epoch json
IDENTITY := codec keys jwt
RULES    := names lifecycle gates readiness
SQL      := sql
CONTROL  := schema store
PROVIDER := provider sqlite/storage sqlite/import
EFFECTS  := effects
VFS      := vfs
TABLES   := engine
CORE := $(BASE:%=ext/base/%) $(IDENTITY:%=ext/identity/%) $(RULES:%=ext/rules/%) \
        $(SQL:%=ext/sql/%) $(CONTROL:%=ext/control/%) $(PROVIDER:%=ext/provider/%) \
        $(EFFECTS:%=ext/effects/%) $(VFS:%=ext/vfs/%) $(TABLES:%=ext/tables/%) ext/via

# -- rooms of the agent, the client and the command line ------------------------
HTTP   := server
PROXY  := pool
API    := routes
CLIENT := client
CLI    := main
AGENT   := $(HTTP:%=agent/http/%) $(PROXY:%=agent/proxy/%) $(API:%=agent/api/%) agent/viad
CLIENTS := $(CLIENT:%=agent/client/%)
CLIS    := $(CLI:%=agent/cli/%)

# The core is built twice: for the extension (calls through the host's table) and for
# programs that link SQLite themselves.
EXT_OBJ    := $(CORE:%=$(BUILD)/so/%.o)
CORE_OBJ   := $(CORE:%=$(BUILD)/core/%.o)
AGENT_OBJ  := $(AGENT:%=$(BUILD)/core/%.o)
CLI_OBJ    := $(CLIS:%=$(BUILD)/core/%.o)
CLIENT_OBJ := $(CLIENTS:%=$(BUILD)/so/%.o) $(BUILD)/so/ext/base/status.o $(BUILD)/so/ext/base/buf.o \
              $(BUILD)/so/ext/base/error.o $(BUILD)/so/ext/base/json.o

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
	$(Q)rm -f $@ && ar rcs $@ $^

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

-include $(EXT_OBJ:.o=.d) $(CORE_OBJ:.o=.d) $(AGENT_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(CLIENT_OBJ:.o=.d)

.PHONY: clean
clean:
	$(Q)rm -rf $(BUILD)
