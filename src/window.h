/*-------------------------------------------------------------------------
 *
 * window.h
 *	  Hours in which long work may run: the setting migrate.window.
 *
 * Layer 1.  Windows are separated by ";".  Each is
 *
 *		[days] HH:MM-HH:MM [zone]
 *
 * where days is a list, separated by ",", of names (Mon or Monday) and ranges
 * of them (Fri-Mon goes over the end of the week), and zone a name that the
 * server knows; without days every day is meant, without a zone the
 * session's TimeZone.  A window whose end is not after its start ends on the
 * next day, and its days are those on which it starts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_WINDOW_H
#define MIGRATE_WINDOW_H

#include "migrate.h"

#include "datatype/timestamp.h"
#include "pgtime.h"

typedef struct MigWindow
{
	int			days;			/* bit n: it starts on day n, 0 is Sunday */
	int			start;			/* minutes after midnight, 0 to 1439 */
	int			end;			/* likewise, 1 to 1440; <= start: next day */
	pg_tz	   *zone;			/* NULL: the session's */
} MigWindow;

typedef struct MigWindows
{
	int			count;			/* 0: no limit */
	MigWindow	windows[FLEXIBLE_ARRAY_MEMBER];
} MigWindows;

/* How many windows a text can hold at most: what mig_window_parse needs room for. */
extern int	mig_window_count(const char *text);

/* Parse into *windows.  False, with the reason in *problem (static), if it is malformed. */
extern bool mig_window_parse(const char *text, MigWindows *windows, const char **problem);

/* The windows in force, as the setting has them; NULL or count 0: no limit. */
extern void mig_window_assign(const MigWindows *windows);

/* May long work run at that instant? */
extern bool mig_window_is_open(TimestampTz now);

/* The next instant, not before now, at which it may; now if it may already. */
extern TimestampTz mig_window_opens_at(TimestampTz now);

#endif							/* MIGRATE_WINDOW_H */
