/*-------------------------------------------------------------------------
 *
 * load_foreign.c
 *	  Files that other tools cut in two.
 *
 * Layer 2, pure.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "load.h"

/*
 * The tool whose mark says, in the midst of a file, that the way back begins;
 * NULL if there is none.  Taken as a whole such a file would undo itself.
 */
const char *
mig_foreign_mark(const char *text)
{
	static const char *const marks[][2] = {
		{"+goose down", "goose"},
		{"+migrate down", "sql-migrate"},
		{"down migration", "node-pg-migrate"},
		{"create above / drop below", "tern"},
		{"rambler down", "rambler"},
		{"//@undo", "MyBatis"},
		{"==== down", "shmig"},
	};

	for (const char *line = text; line; line = strchr(line, '\n'))
	{
		line += strspn(line, " \t\r\n");
		if (line[0] != '-' || line[1] != '-')
			continue;
		line += strspn(line, "- \t");
		for (int i = 0; i < lengthof(marks); i++)
			if (pg_strncasecmp(line, marks[i][0], strlen(marks[i][0])) == 0)
				return marks[i][1];
	}
	return NULL;
}
