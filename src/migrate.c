/*-------------------------------------------------------------------------
 *
 * migrate.c
 *	  What happens when the library is loaded.
 *
 * Layer 5.  It may be loaded by the first call of one of our functions, by
 * session_preload_libraries, or by shared_preload_libraries, where it also
 * starts what goes on with unfinished runs after a restart.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "dropdb.h"
#include "launcher.h"
#include "settings.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	mig_settings_define();
	MarkGUCPrefixReserved("migrate");
	if (process_shared_preload_libraries_in_progress)
	{
		mig_launcher_register();
		mig_dropdb_install();
	}
}
