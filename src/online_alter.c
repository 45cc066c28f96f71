/*-------------------------------------------------------------------------
 *
 * online_alter.c
 *	  ALTER TABLE: each subcommand that needs a sequence of its own gets it.
 *
 * Subcommands that block nobody for longer than a catalog change stay
 * together in one statement, since they share one lock.  The order is that in
 * which the server carries them out (AlterTablePass in tablecmds.c): what is
 * dropped, new types, new columns, the rest.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "lib/stringinfo.h"

#include "online_int.h"
#include "sqlgen.h"

/* One subcommand on its way. */
typedef struct Piece
{
	AlterTableCmd *cmd;
	char	   *text;
	int			pass;
} Piece;

static int
pass_of(const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_DropColumn:
		case AT_DropConstraint:
		case AT_DropNotNull:
		case AT_DropExpression:
		case AT_DropIdentity:
			return 0;
		case AT_AlterColumnType:
			return 1;
		case AT_AddColumn:
			return 2;
		default:
			return 3;
	}
}

static int
compare_pieces(const ListCell *a, const ListCell *b)
{
	return ((Piece *) lfirst(a))->pass - ((Piece *) lfirst(b))->pass;
}

/* list_sort() does not keep the order of equals. */
static List *
sorted_pieces(const MigOnline *online, List *slices)
{
	AlterTableStmt *stmt = castNode(AlterTableStmt, online->node);
	int			n = list_length(slices);
	List	   *pieces = NIL;

	for (int i = 0; i < n; i++)
	{
		Piece	   *piece = palloc(sizeof(Piece));

		piece->cmd = list_nth(stmt->cmds, i);
		piece->text = list_nth(slices, i);
		piece->pass = pass_of(piece->cmd) * n + i;
		pieces = lappend(pieces, piece);
	}
	list_sort(pieces, compare_pieces);
	return pieces;
}

/* --- what stays as it stands --- */

typedef struct Plain
{
	StringInfoData text;		/* subcommands, with commas between */
	bool		keeps_rows;
} Plain;

static void
plain_add(Plain *plain, const Piece *piece)
{
	AlterTableStmt alone = {.type = T_AlterTableStmt, .objtype = OBJECT_TABLE};

	alone.cmds = list_make1(piece->cmd);
	if (plain->text.len == 0)
		plain->keeps_rows = true;
	plain->keeps_rows &= mig_online_keeps_rows((Node *) &alone);
	appendStringInfo(&plain->text, "%s%s", plain->text.len ? ", " : "", piece->text);
}

static void
plain_flush(const MigOnline *online, List **parts, Plain *plain)
{
	if (plain->text.len == 0)
		return;
	mig_part(parts, "%s %s", mig_online_altered(online), plain->text.data)->tightens = plain->keeps_rows;
	resetStringInfo(&plain->text);
}

/* --- subcommands --- */

static List *
expand_command(MigOnline *online, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddConstraint:
			return mig_online_constraint(online, castNode(Constraint, cmd->def));
		case AT_SetNotNull:
			return mig_online_not_null(online, cmd->name);
		case AT_ValidateConstraint:
			return mig_online_validate_written(online, cmd->name);
		case AT_AddColumn:
			return mig_online_column(online, cmd);
		case AT_AttachPartition:
		case AT_DetachPartition:
			return mig_online_partition(online, cmd);
		default:
			return NIL;
	}
}

static bool
is_key(const AlterTableCmd *cmd)
{
	const Constraint *con = (const Constraint *) cmd->def;

	return cmd->subtype == AT_AddConstraint &&
		(con->contype == CONSTR_PRIMARY || con->contype == CONSTR_UNIQUE);
}

/*
 * A constraint without a name is given the one that the server would choose,
 * so that there is a way back.
 */
static bool
give_name(const MigOnline *online, Piece *piece)
{
	Constraint *con = (Constraint *) piece->cmd->def;
	char	   *name;
	char	   *text;

	if (piece->cmd->subtype != AT_AddConstraint || con->conname || con->indexname ||
		(name = mig_naming_constraint(online->naming, con)) == NULL)
		return false;
	text = mig_sql_insert(piece->text, "ADD", 1, psprintf("CONSTRAINT %s", mig_sql_name(name)));
	if (mig_slice_constraint(text) == NULL)
		return false;
	piece->text = text;
	return true;
}

static List *
dropped_constraints(AlterTableStmt *stmt)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, stmt->cmds)
		if (lfirst_node(AlterTableCmd, lc)->subtype == AT_DropConstraint)
			names = lappend(names, lfirst_node(AlterTableCmd, lc)->name);
	return names;
}

/* What would fail in any case. */
static void
check_command(const MigOnline *online, AlterTableCmd *cmd)
{
	if (cmd->subtype == AT_AddConstraint)
	{
		Constraint *con = castNode(Constraint, cmd->def);

		mig_online_check_constraint(online, con);
		if (con->conname)
			online->naming->chosen = lappend(online->naming->chosen, con->conname);
	}
	else if (cmd->subtype == AT_AddColumn)
		mig_online_check_column(online, cmd);
}

/* Keys that take the place of others come first: they are built while those are still there. */
static List *
replace_keys(MigOnline *online, List *pieces)
{
	List	   *parts = NIL;
	ListCell   *lc;

	foreach(lc, pieces)
	{
		Piece	   *piece = lfirst(lc);
		char	   *text;

		if (!is_key(piece->cmd))
			continue;
		online->text = piece->text;
		text = mig_online_replace_key(online, castNode(Constraint, piece->cmd->def), &parts);
		if (text == NULL)
			continue;
		piece->text = text;
		piece->cmd = makeNode(AlterTableCmd);
		piece->cmd->subtype = AT_AddIndexConstraint;
	}
	return parts;
}

List *
mig_online_alter_table(MigOnline *online)
{
	AlterTableStmt *stmt = castNode(AlterTableStmt, online->node);
	MigNaming	naming = {online->overlay, online->name};
	List	   *slices;
	List	   *pieces;
	List	   *parts;
	Plain		plain = {0};
	bool		any;
	ListCell   *lc;

	if (!OidIsValid(online->name->relid) || online->name->created ||
		(online->name->relkind != RELKIND_RELATION &&
		 online->name->relkind != RELKIND_PARTITIONED_TABLE))
		return NIL;
	naming.dropped = dropped_constraints(stmt);
	online->naming = &naming;
	foreach(lc, stmt->cmds)
		check_command(online, lfirst(lc));
	slices = mig_slice_alter(online->stmt->text, stmt);
	if (slices == NIL)
		return NIL;
	naming.chosen = NIL;
	initStringInfo(&plain.text);
	pieces = sorted_pieces(online, slices);
	parts = replace_keys(online, pieces);
	any = parts != NIL;
	foreach(lc, pieces)
	{
		MigOnline	one = *online;
		Piece	   *piece = lfirst(lc);
		List	   *chosen = list_copy(naming.chosen);
		List	   *sequence;

		one.text = piece->text;
		sequence = expand_command(&one, piece->cmd);
		if (sequence == NIL)
		{
			naming.chosen = chosen;
			any |= give_name(online, piece);
			plain_add(&plain, piece);
			continue;
		}
		any = true;
		plain_flush(online, &parts, &plain);
		parts = list_concat(parts, sequence);
	}
	plain_flush(online, &parts, &plain);
	if (any)
		return parts;
	mig_online_note_gap(online);
	return NIL;
}
