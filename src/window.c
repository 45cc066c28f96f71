/*-------------------------------------------------------------------------
 *
 * window.c
 *	  Hours in which long work may run: the setting migrate.window.
 *
 * Windows are hours of the clock on the wall: on the days on which a zone
 * changes its clocks, a window is an hour longer or shorter than on others.
 * The text is parsed once, by the check hook of the setting, which must not
 * raise errors; hence the bool results.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "window.h"

#include "utils/datetime.h"
#include "utils/timestamp.h"

#define MINUTES_A_DAY	(24 * 60)
#define EVERY_DAY		0x7F
#define MAX_ZONE_LEN	TZ_STRLEN_MAX

static const char *const day_names[] = {
	"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"
};

static const MigWindows *windows_in_force = NULL;

static const char *
skip_blanks(const char *s)
{
	while (isspace((unsigned char) *s))
		s++;
	return s;
}

/* One day's name, in full or its first three letters; advances *text. */
static bool
parse_day(const char **text, int *day)
{
	int			len = 0;

	while (isalpha((unsigned char) (*text)[len]))
		len++;
	for (int i = 0; i < lengthof(day_names); i++)
	{
		if ((len == 3 || len == strlen(day_names[i])) &&
			pg_strncasecmp(*text, day_names[i], len) == 0)
		{
			*day = i;
			*text = skip_blanks(*text + len);
			return true;
		}
	}
	return false;
}

/* A list of days and ranges of days; advances *text. */
static bool
parse_days(const char **text, int *days)
{
	*days = 0;
	for (;;)
	{
		int			first;
		int			last;

		if (!parse_day(text, &first))
			return false;
		last = first;
		if (**text == '-')
		{
			*text = skip_blanks(*text + 1);
			if (!parse_day(text, &last))
				return false;
		}
		for (int day = first;; day = (day + 1) % 7)
		{
			*days |= 1 << day;
			if (day == last)
				break;
		}
		if (**text != ',')
			return true;
		*text = skip_blanks(*text + 1);
	}
}

/* HH:MM, in minutes after midnight; advances *text. */
static bool
parse_time(const char **text, int *minutes)
{
	const char *s = *text;
	int			hour = 0;
	int			minute = 0;
	int			digits = 0;

	while (isdigit((unsigned char) *s) && digits++ < 2)
		hour = hour * 10 + (*s++ - '0');
	if (digits == 0 || *s++ != ':')
		return false;
	for (digits = 0; isdigit((unsigned char) *s) && digits < 2; digits++)
		minute = minute * 10 + (*s++ - '0');
	if (digits != 2 || isdigit((unsigned char) *s) || minute > 59 ||
		hour * 60 + minute > MINUTES_A_DAY)
		return false;
	*minutes = hour * 60 + minute;
	*text = skip_blanks(s);
	return true;
}

/* A zone's name up to the separator; advances *text. */
static bool
parse_zone(const char **text, pg_tz **zone)
{
	char		name[MAX_ZONE_LEN + 1];
	int			len = strcspn(*text, ";");
	int			trimmed = len;

	while (trimmed > 0 && isspace((unsigned char) (*text)[trimmed - 1]))
		trimmed--;
	if (trimmed > MAX_ZONE_LEN)
		return false;
	memcpy(name, *text, trimmed);
	name[trimmed] = '\0';
	*zone = pg_tzset(name);
	*text += len;
	return *zone != NULL && pg_tz_acceptable(*zone);
}

/* One window, up to the separator; advances *text. */
static bool
parse_window(const char **text, MigWindow *window, const char **problem)
{
	window->days = EVERY_DAY;
	window->zone = NULL;
	if (isalpha((unsigned char) **text) && !parse_days(text, &window->days))
	{
		*problem = "Days are written as Mon, as Mon-Fri, or as a list of these separated by commas.";
		return false;
	}
	if (!parse_time(text, &window->start) || **text != '-')
	{
		*problem = "Hours are written as 22:00-06:00.";
		return false;
	}
	*text = skip_blanks(*text + 1);
	if (!parse_time(text, &window->end))
	{
		*problem = "Hours are written as 22:00-06:00.";
		return false;
	}
	if (window->start == window->end || window->start == MINUTES_A_DAY)
	{
		*problem = "A window must have a length; a whole day is written as 00:00-24:00.";
		return false;
	}
	if (window->end == 0)
		window->end = MINUTES_A_DAY;
	if (**text != '\0' && **text != ';' && !parse_zone(text, &window->zone))
	{
		*problem = "After the hours only the name of a time zone may stand, and windows are separated by semicolons.";
		return false;
	}
	return true;
}

int
mig_window_count(const char *text)
{
	int			count = 1;

	for (; *text; text++)
		if (*text == ';')
			count++;
	return count;
}

bool
mig_window_parse(const char *text, MigWindows *windows, const char **problem)
{
	windows->count = 0;
	text = skip_blanks(text);
	while (*text)
	{
		if (!parse_window(&text, &windows->windows[windows->count], problem))
			return false;
		windows->count++;
		if (*text == ';')
			text = skip_blanks(text + 1);
	}
	return true;
}

void
mig_window_assign(const MigWindows *windows)
{
	windows_in_force = windows;
}

static pg_tz *
zone_of(const MigWindow *window)
{
	return window->zone ? window->zone : session_timezone;
}

/* The time on the wall at an instant, in the window's zone. */
static bool
wall_time(const MigWindow *window, TimestampTz at, struct pg_tm *tm)
{
	fsec_t		fsec;
	int			tz;

	return timestamp2tm(at, &tz, tm, &fsec, NULL, zone_of(window)) == 0;
}

static bool
is_open(const MigWindow *window, TimestampTz now)
{
	struct pg_tm tm;
	int			minute;
	int			today;
	int			yesterday;

	if (!wall_time(window, now, &tm))
		return false;
	minute = tm.tm_hour * 60 + tm.tm_min;
	today = j2day(date2j(tm.tm_year, tm.tm_mon, tm.tm_mday));
	yesterday = (today + 6) % 7;
	if (window->start < window->end)
		return (window->days & (1 << today)) &&
			minute >= window->start && minute < window->end;
	return ((window->days & (1 << today)) && minute >= window->start) ||
		((window->days & (1 << yesterday)) && minute < window->end);
}

/* The first start of the window after now; false if there is none in sight. */
static bool
next_start(const MigWindow *window, TimestampTz now, TimestampTz *start)
{
	struct pg_tm tm;
	int			today;

	if (!wall_time(window, now, &tm))
		return false;
	today = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
	for (int day = today; day <= today + 7; day++)
	{
		int			tz;

		if (!(window->days & (1 << j2day(day))))
			continue;
		j2date(day, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		tm.tm_hour = window->start / 60;
		tm.tm_min = window->start % 60;
		tm.tm_sec = 0;
		tm.tm_isdst = -1;
		tz = DetermineTimeZoneOffset(&tm, zone_of(window));
		if (tm2timestamp(&tm, 0, &tz, start) == 0 && *start > now)
			return true;
	}
	return false;
}

bool
mig_window_is_open(TimestampTz now)
{
	if (windows_in_force == NULL || windows_in_force->count == 0)
		return true;
	for (int i = 0; i < windows_in_force->count; i++)
		if (is_open(&windows_in_force->windows[i], now))
			return true;
	return false;
}

TimestampTz
mig_window_opens_at(TimestampTz now)
{
	TimestampTz earliest = DT_NOEND;

	if (mig_window_is_open(now))
		return now;
	for (int i = 0; i < windows_in_force->count; i++)
	{
		TimestampTz start;

		if (next_start(&windows_in_force->windows[i], now, &start) &&
			start < earliest)
			earliest = start;
	}
	return earliest;
}
