EXTENSION      = migrate
MODULE_big     = migrate
OBJS           = $(patsubst %.c,%.o,$(wildcard $(srcdir)/src/*.c))
DATA           = $(wildcard sql/$(EXTENSION)--*.sql)
PGFILEDESC     = "migrate - online schema migrations"

# "make installcheck" brings its own server: none has to be running.  Its
# locale is not the caller's, so that expected output is the same everywhere.
SERVER         = --no-locale --encoding=UTF8 --temp-config=$(srcdir)/test/migrate.conf \
                 $(SERVER_OPTS) --temp-instance=tmp_check
REGRESS        = $(filter-out $(EXTENSION)--%,$(basename $(notdir $(sort $(wildcard sql/*.sql)))))
REGRESS_OPTS   = $(SERVER) --no-locale --encoding=UTF8
ISOLATION      = $(basename $(notdir $(sort $(wildcard test/specs/*.spec))))
ISOLATION_OPTS = $(SERVER)_iso --inputdir=$(srcdir)/test --load-extension=$(EXTENSION)
TAP_TESTS      = 1
PROVE_TESTS    = test/t/*.pl

EXTRA_CLEAN    = $(addprefix src/, *.gcda *.gcno) *.gcov tmp_check_iso output_iso

srcdir         = .
PG_CFLAGS      = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
                 -Wno-missing-field-initializers -Wno-declaration-after-statement

# These install what is missing, so they have to work without PGXS.
OWN_GOALS      = test demo bench
.DEFAULT_GOAL := all
PG_CONFIG     ?= pg_config
PGXS          := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)

# A change of a header concerns everybody.
$(OBJS): $(wildcard $(srcdir)/src/*.h)
else ifneq ($(filter-out $(OWN_GOALS),$(or $(MAKECMDGOALS),all)),)
$(error PostgreSQL's files for building extensions are missing: install postgresql-server-dev-NN, or set PG_CONFIG; "make test" and "make demo" install it themselves)
endif

# MAJORS="15 17 18" tests with each of them; without, with the server of this
# machine.  PG_CONFIG is handed on only where somebody has set it.
.PHONY: $(OWN_GOALS)
$(OWN_GOALS): export PG_CONFIG := $(if $(filter file default,$(origin PG_CONFIG)),,$(PG_CONFIG))
test:
	@test/run.sh $(MAJORS)
demo:
	@test/with_server.sh test/demo/demo.sh
bench:
	@test/with_server.sh test/bench/files.sh
	@test/with_server.sh test/bench/index.sh
	@test/with_server.sh test/bench/registry.sh
	@test/with_server.sh test/bench/sync.sh
