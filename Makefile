EXTENSION      = migrate
MODULE_big     = migrate
OBJS           = $(patsubst %.c,%.o,$(wildcard $(srcdir)/src/*.c))
DATA           = $(wildcard sql/$(EXTENSION)--*.sql)
PGFILEDESC     = "migrate - online schema migrations"

# Tests bring their own servers: "make installcheck" needs none running.
SERVER         = --temp-config=$(srcdir)/test/migrate.conf --temp-instance=tmp_check
REGRESS        = $(filter-out $(EXTENSION)--%,$(basename $(notdir $(sort $(wildcard sql/*.sql)))))
REGRESS_OPTS   = $(SERVER)
ISOLATION      = $(basename $(notdir $(sort $(wildcard test/specs/*.spec))))
ISOLATION_OPTS = $(SERVER)_iso --inputdir=$(srcdir)/test --load-extension=$(EXTENSION)
TAP_TESTS      = 1
PROVE_TESTS    = test/t/*.pl

EXTRA_CLEAN    = $(addprefix src/, *.gcda *.gcno) *.gcov tmp_check_iso output_iso

srcdir         = .
PG_CFLAGS      = -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
                 -Wno-missing-field-initializers -Wno-declaration-after-statement
PG_CONFIG     ?= pg_config
PGXS          := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
