/*-------------------------------------------------------------------------
 *
 * effect_int.h
 *	  How classify.c and effect*.c put an effect together.
 *
 * Layer 1, for those files and refuse*.c alone.  One function a family of statements; each
 * gets the work at hand and fills in its effect.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_EFFECT_INT_H
#define MIGRATE_EFFECT_INT_H

#include "catalog/objectaddress.h"

#include "effect.h"
#include "nodes/primnodes.h"
#include "parser/parse_node.h"

typedef struct MigWork
{
	const MigStatement *stmt;
	const MigOverlay *overlay;
	MigEffect  *effect;
	bool		changes_made;	/* changes a relation that this migration made ... */
	bool		changes_other;	/* ... one that it did not make */
	List	   *dropped;		/* what DROP takes, to be made again: effect_undo.c */
	bool		inert;			/* expressions are stored, not run: what they call does not matter */
	const char *word;			/* mig_expr_try: what it looks for, where an error has no place; or NULL */
} MigWork;

/* --- names (effect.c) --- */

/* What a RangeVar stands for; 42P01 with its position if it is nothing, unless missing_ok. */
extern MigName *mig_effect_name(MigWork *work, const RangeVar *rv, bool missing_ok);

/* Of a relation that is in the catalog. */
extern MigName *mig_effect_name_of_oid(MigWork *work, Oid relid);

/* The same for a list of String, as DROP and COMMENT have it; the last "skip" names belong to a part of it. */
extern MigName *mig_effect_name_of_list(MigWork *work, List *names, int skip, bool missing_ok);

/* 42703, with its position behind that of "after", for a column that surely is not there. */
extern void mig_effect_require_column(MigWork *work, const MigName *name, const char *colname,
									  const RangeVar *after);

/* Where CREATE puts it; 3F000 if there is no such schema. */
extern MigName *mig_effect_target(MigWork *work, const RangeVar *rv);


/* "schema.name" of an object that is no relation: as written, else in the first schema of the path. */
extern char *mig_effect_object_name(MigWork *work, List *names);
extern char *mig_effect_last_name(List *names);	/* of a qualified name, unquoted */

/* A change of an object that is no relation: did this migration make it? */
extern void mig_effect_changes_object(MigWork *work, const char *kind, const char *name);

/* --- locks --- */

/* The strongest mode stays.  Only relations that are there, or are made before, have one. */
extern void mig_effect_lock(MigWork *work, const MigName *name, LOCKMODE mode);
extern void mig_effect_lock_oid(MigWork *work, Oid relid, LOCKMODE mode);
extern void mig_effect_lock_children(MigWork *work, const MigName *name, LOCKMODE mode);

/* This is what the statement is about: relation, lock, size, what it rests on. */
extern void mig_effect_about(MigWork *work, const MigName *name, LOCKMODE mode);

/* --- work --- */

/*
 * All rows of a relation, or of the tree below it (inh), are read or copied
 * while the locks are held.  Nothing if they have no block; true if they have.
 */
extern bool mig_effect_scans(MigWork *work, Oid relid);
extern bool mig_effect_rewrites(MigWork *work, Oid relid);
extern void mig_effect_copies(MigWork *work, Oid relid);	/* block by block: rows are not read */
extern bool mig_effect_scans_tree(MigWork *work, const MigName *name, bool inh);
extern bool mig_effect_rewrites_tree(MigWork *work, const MigName *name, bool inh);

/* --- what may go wrong --- */

/* For check(): name, subject and detail may be NULL. */
extern MigHazard *mig_effect_hazard(MigWork *work, MigHazardKind kind, const MigName *name,
									const char *subject, const char *detail);
extern MigHazard *mig_effect_hazard_oid(MigWork *work, MigHazardKind kind, Oid relid,
										const char *subject, const char *detail);

/* The server would refuse it: location in the source, or -1; hint or NULL.  Only where that is certain. */
extern void mig_effect_fails(MigWork *work, int sqlerrcode, int location, const char *hint,
							 const char *format,...) pg_attribute_printf(5, 6);

/* --- what follows --- */

extern void mig_effect_note(MigWork *work, const char *format,...) pg_attribute_printf(2, 3);
extern void mig_effect_change(MigWork *work, MigChangeKind kind, const MigName *name);
extern void mig_effect_move(MigWork *work, const MigName *name, const char *nspname, const char *relname);
extern void mig_effect_makes(MigWork *work, const MigName *name, char relkind, bool if_new);
extern MigChange *mig_effect_add_change(MigWork *work, MigChangeKind kind);
extern void mig_effect_makes_object(MigWork *work, const char *kind, const char *name);
extern void mig_effect_moves_object(MigWork *work, const char *kind, const char *name);	/* makes, of what was there before */
extern void mig_effect_drops_object(MigWork *work, const char *kind, const char *name);
extern void mig_effect_breaks(MigWork *work, const char *word);	/* contract, with a bare name */
extern void mig_effect_opaque(MigWork *work);
extern void mig_effect_top_level(MigWork *work, MigStepKind kind);

/* Is it one of default_transaction_read_only and the like? */
extern bool mig_effect_is_transaction_default(const char *setting);

/* --- expressions (effect_expr.c) --- */

/* The type's OID; InvalidOid when it is not there (yet). */
extern Oid	mig_expr_type(const TypeName *type, int32 *typmod);

/*
 * With its names resolved, over the columns of a relation unless name is
 * NULL, and coerced to a type unless typid is InvalidOid.  NULL: it rests on
 * what is not there yet.  Errors: those of the server's analysis, placed in
 * the statement.
 */
extern Node *mig_expr_transform(MigWork *work, const MigName *name, Node *raw, ParseExprKind kind,
								Oid typid, int32 typmod);

/* The same, inside of mig_expr_try(), which is not nested. */
extern Node *mig_expr_transform_now(MigWork *work, const MigName *name, Node *raw, ParseExprKind kind,
									Oid typid, int32 typmod);

/*
 * Run something of the server's that may raise an error, or leave locks
 * behind (keep false).  Result NULL, and no error, if what it did not find
 * may be made by an earlier statement; otherwise the error is placed in the
 * statement.  name: the relation that it concerns, or NULL.
 */
extern void *mig_expr_try(MigWork *work, const MigName *name, void *(*run) (MigWork *, void *),
						  void *arg, bool keep);

/* Has a relation surely no column of that name when the statement runs? */
extern bool mig_expr_lacks_column(const MigWork *work, const MigName *name, const char *colname);

/* Can an earlier statement have made something of that name? */
extern bool mig_expr_is_named(const MigWork *work, const char *word);

/* Folded, as the server does before it looks; NULL where that must not be done. */
extern Node *mig_expr_fold(MigWork *work, Node *expr);

/* --- proofs (effect_proof.c) --- */

/* Do the valid CHECKs of a table, but for those of the names in dropped, prove that a column is not null? */
extern bool mig_proof_not_null(MigWork *work, Oid relid, AttrNumber attnum, const List *dropped);

/* A new partition of a table that is there. */
typedef struct MigPartition
{
	Oid			parent;
	Oid			attached;		/* InvalidOid: it is only being created */
	Oid			default_partition;	/* InvalidOid: none */
	bool		known;			/* what follows was found */
	List	   *unproved;		/* OIDs of tables that are read, since nothing proves that their rows fit */
	List	   *unproved_default;	/* ... and below the default partition, that no row of it belongs here */
} MigPartition;

extern void mig_proof_partition(MigWork *work, MigPartition *partition, PartitionBoundSpec *bound);

/* --- ALTER TABLE (effect_work*.c) --- */

typedef struct MigAltering
{
	MigWork    *work;
	AlterTableStmt *stmt;
	const MigName *name;
	LOCKMODE	mode;
	bool		inh;			/* the children, too */
	List	   *tree;			/* OIDs: it and, with inh, all below; NIL if it is not there yet */
	bool		checks_keys;	/* inline foreign keys are checked, too */
	List	   *dropped;		/* names of constraints that the same statement drops */
} MigAltering;

/* All locks, work and hazards of an ALTER TABLE but those on the table itself. */
extern void mig_effect_alter_work(MigWork *work, AlterTableStmt *stmt, const MigName *name, LOCKMODE mode);

/* What its subcommands lock beside the table: children, partitions, sequences. */
extern void mig_effect_lock_around(MigAltering *alter);

/* The same for a key or EXCLUDE that is not made from an index that is there. */
extern void mig_effect_lock_for_index(MigAltering *alter, const Constraint *con);

/* The sequences that a table owns go where it goes. */
extern void mig_effect_lock_owned_sequences(MigWork *work, Oid relid);

/* Of one family of subcommands each; false if the subcommand is none of theirs. */
extern bool mig_effect_work_column(MigAltering *alter, AlterTableCmd *cmd);
extern bool mig_effect_work_constraint(MigAltering *alter, AlterTableCmd *cmd);
extern bool mig_effect_work_partition(MigAltering *alter, AlterTableCmd *cmd);
extern bool mig_effect_work_table(MigAltering *alter, AlterTableCmd *cmd);

/* What the server would refuse in any case: effect_fails.c, effect_fails_con.c. */
extern void mig_effect_fails_alter(const MigAltering *alter);
extern void mig_effect_fails_attached(const MigAltering *alter, const AlterTableCmd *cmd);

/* A new column; inh: of the children, too; checks_keys: an inline foreign key is checked. */
extern void mig_effect_add_column(MigWork *work, const MigName *name, ColumnDef *def,
								  bool inh, bool checks_keys);
extern void mig_effect_alter_type(MigWork *work, const MigName *name, AlterTableCmd *cmd, bool inh);

/* A column gets a NOT NULL: each table of the tree is read unless that is proved. */
extern void mig_effect_set_not_null(MigAltering *alter, const char *colname);

/* Has a foreign key between columns of these types a way to find its rows?  (ATAddForeignKeyConstraint) */
extern bool mig_effect_can_compare(Oid fk_type, Oid pk_type);

/* CHECKs that mention a column are checked again. */
extern void mig_effect_recheck(MigWork *work, Oid relid, const char *colname);

/* Of these objects (list of ObjectAddress *) those that no earlier statement can have dropped. */
extern List *mig_effect_still_there(MigWork *work, List *objects);

/* All relations of a schema, or of some owners (by that column of pg_class), are locked against everybody. */
extern void mig_effect_lock_relations(MigWork *work, AttrNumber column, List *oids);

/* What is dropped along with it (list of ObjectAddress *) is locked. */
extern void mig_effect_lock_dependents(MigWork *work, List *objects);

/* CREATE TABLE ... PARTITION OF: what it costs the default partition. */
extern void mig_effect_new_partition(MigWork *work, const MigName *parent, PartitionBoundSpec *bound);

/* Do clients notice that a column has another type? */
extern void mig_effect_type_breaks(MigWork *work, const MigName *name, const char *colname,
								   Oid old_type, int32 old_typmod, Oid typid, int32 typmod);

/* Does it bring a DEFAULT along, as far as foreign keys care? */
extern bool mig_effect_has_default(const ColumnDef *def);
extern bool mig_is_serial(const TypeName *type);

/* A foreign key is checked: both tables are read; false if there are no rows. */
extern bool mig_effect_check_key(MigWork *work, const MigName *name, const Constraint *con);

/* --- hazards of all statements but ALTER TABLE (effect_hazard*.c), after their families --- */

extern void mig_effect_look_closer(MigWork *work, Node *node);
extern void mig_effect_hazard_drop(MigWork *work, DropStmt *stmt);
extern void mig_effect_hazard_create_index(MigWork *work, IndexStmt *stmt);
extern void mig_effect_hazard_drop_index(MigWork *work, const MigName *name, bool concurrently);
extern void mig_effect_hazard_data(MigWork *work, Node *node);
extern void mig_effect_hazard_guards(MigWork *work, Node *node);	/* policies, rules, publications, views, functions */

/* --- families --- */

extern void mig_effect_create_table(MigWork *work, Node *node);
extern void mig_effect_create_view(MigWork *work, Node *node);
extern void mig_effect_create_other(MigWork *work, Node *node);	/* sequence, schema, type, extension, ... */
extern void mig_effect_on_table(MigWork *work, Node *node);	/* trigger, policy, rule, statistics, publication */
extern void mig_effect_alter_table(MigWork *work, Node *node);
extern void mig_effect_alter_other(MigWork *work, Node *node);	/* sequence, domain, enum, COMMENT, GRANT, ... */
extern void mig_effect_drop(MigWork *work, Node *node);
extern void mig_effect_whole(MigWork *work, Node *node);	/* TRUNCATE, LOCK, DROP OWNED, REASSIGN OWNED, ALL IN TABLESPACE */
extern void mig_effect_rename(MigWork *work, Node *node);	/* and SET SCHEMA */
extern void mig_effect_fails_leftover(MigWork *work, const MigName *index);
extern void mig_effect_index(MigWork *work, Node *node);	/* CREATE INDEX, REINDEX, CLUSTER, VACUUM, REFRESH */
extern void mig_effect_query(MigWork *work, Node *node);	/* SELECT, DML, COPY, EXPLAIN, CREATE TABLE AS */
extern void mig_effect_code(MigWork *work, Node *node);	/* DO, CALL, EXECUTE */
extern void mig_effect_function(MigWork *work, Node *node);	/* CREATE FUNCTION */
extern void mig_effect_session(MigWork *work, Node *node);	/* SET, LISTEN, PREPARE, SAVEPOINT, ... */
extern void mig_effect_cluster(MigWork *work, Node *node);	/* databases, tablespaces, subscriptions, ALTER SYSTEM, CHECKPOINT */

/*
 * Which tables a query reads as a whole, by the server's own planner, and
 * which relations it locks; false if it cannot be planned yet.  effect_read.c
 */
extern bool mig_effect_read(MigWork *work, Node *raw);

/* Can all that the statement has been found to lock be locked right now?  False, too, for what is not there yet. */
extern bool mig_effect_names_are_free(MigWork *work);

/* The same for the query of a materialized view that is there. */
extern void mig_effect_view_sources(MigWork *work, const MigName *name);

/* All relations that a raw query reads and writes, functions that it calls; effect_query.c. */
extern void mig_effect_walk(MigWork *work, Node *node);

/* Does a function of that name do nothing but compute? effect_code.c */
extern bool mig_effect_harmless(List *funcname);

/* A foreign key of a table: lock what it refers to; effect_table.c. */
extern void mig_effect_references(MigWork *work, const MigName *name, Constraint *con);

/* A constraint of a table: the index that it brings along; effect_table.c. */
extern void mig_effect_makes_constraint(MigWork *work, const MigName *table, Constraint *con);

/* --- the way back (effect_undo.c) --- */

/* What a plan shows while an undo cannot be read yet; no statement. */
#define MIG_UNDO_LATER "-- read from the catalog when the statement runs"

/* There is no way back, whatever else was found; why: half a sentence, or NULL. */
extern void mig_effect_irreversible(MigWork *work, const char *why);

/* Statements (char *) read from the catalog, before what is there; why, if not NULL: as above. */
extern void mig_effect_undo(MigWork *work, const List *sql, const char *why);

/* It can only be read when the statement runs: what it is about is not there yet. */
extern void mig_effect_undo_later(MigWork *work);

/* At the end: what is made by the same migration needs none; is it to be read again? */
extern void mig_effect_settle_undo(MigWork *work);

/* What a DROP takes away is made again: each object, and at the end all of them in their order. */
extern void mig_effect_brings_back(MigWork *work, const ObjectAddress *address, const DropStmt *stmt);
extern void mig_effect_undo_drops(MigWork *work);

extern void mig_effect_undo_domain(MigWork *work, Node *node);
extern void mig_effect_undo_grant(MigWork *work, const GrantStmt *stmt);
extern void mig_effect_undo_other(MigWork *work, Node *node);	/* COMMENT, OWNER TO, ALTER SEQUENCE, FUNCTION, ROLE SET, ... */

/* effect_undo_object.c: RENAME (newname) or SET SCHEMA (newschema) of what is no table; and others. */
extern void mig_effect_undo_move(MigWork *work, ObjectType type, Node *object,
								 const char *newname, const char *newschema);
extern void mig_effect_undo_replaced(MigWork *work, Oid classid, Oid objid);	/* CREATE OR REPLACE */
extern void mig_effect_undo_cluster(MigWork *work, const MigName *name, const char *indexname);
extern void mig_effect_undo_statistics(MigWork *work, const CreateStatsStmt *stmt);
extern void mig_effect_undo_object(MigWork *work, Node *node);

#endif							/* MIGRATE_EFFECT_INT_H */
