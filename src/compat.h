/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Every difference between the supported majors (15 to 18), as functions
 *	  with the newest signature.  No other file asks for PG_VERSION_NUM.
 *
 * Layer 0.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_COMPAT_H
#define MIGRATE_COMPAT_H

#include "access/htup_details.h"
#include "access/attmap.h"
#include "access/xact.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
#include "tcop/pquery.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/guc_tables.h"
#include "utils/regproc.h"
#include "utils/relcache.h"
#include "utils/wait_event.h"

/* 18: the argument run_once is gone (commit 3eea7a0c97e9) */
static inline bool
mig_PortalRun(Portal portal, DestReceiver *dest, QueryCompletion *qc)
{
#if PG_VERSION_NUM >= 180000
	return PortalRun(portal, FETCH_ALL, true, dest, dest, qc);
#else
	return PortalRun(portal, FETCH_ALL, true, true, dest, dest, qc);
#endif
}

/* 16: one check for all classes of objects (commit afbfc02983f8) */
static inline bool
mig_is_class_owner(Oid relid, Oid roleid)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, relid, roleid);
#else
	return pg_class_ownercheck(relid, roleid);
#endif
}

static inline bool
mig_is_database_owner(Oid dboid, Oid roleid)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(DatabaseRelationId, dboid, roleid);
#else
	return pg_database_ownercheck(dboid, roleid);
#endif
}

/* 16: being a member and being allowed to SET ROLE are two things */
static inline bool
mig_can_become(Oid member, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return member_can_set_role(member, role);
#else
	return is_member_of_role(member, role);
#endif
}

/* 16: one check for all classes of objects (commit c727f511bd7b) */
static inline bool
mig_can_connect(Oid dboid, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(DatabaseRelationId, dboid, role, ACL_CONNECT) == ACLCHECK_OK;
#else
	return pg_database_aclcheck(dboid, role, ACL_CONNECT) == ACLCHECK_OK;
#endif
}

/* 17: a role that may not log in can still own a worker's session */
#if PG_VERSION_NUM >= 170000
#define MIG_BYPASS_ROLELOGINCHECK BGWORKER_BYPASS_ROLELOGINCHECK
#define MIG_CAN_BYPASS_LOGIN true
#else
#define MIG_BYPASS_ROLELOGINCHECK 0
#define MIG_CAN_BYPASS_LOGIN false
#endif

/*
 * Can a worker be given the user id of a role that may not log in?  Before 17
 * that takes a security context outside of any transaction, which a server
 * built with assertions insists on not having (StartTransaction in xact.c).
 */
#ifdef USE_ASSERT_CHECKING
#define MIG_CAN_SERVE_NOLOGIN MIG_CAN_BYPASS_LOGIN
#else
#define MIG_CAN_SERVE_NOLOGIN true
#endif

/* 17: processes are known by their number (commit 024c52111757) */
static inline PGPROC *
mig_proc_of_vxid(VirtualTransactionId vxid)
{
#if PG_VERSION_NUM >= 170000
	return vxid.procNumber == INVALID_PROC_NUMBER ? NULL : ProcNumberGetProc(vxid.procNumber);
#else
	return vxid.backendId == InvalidBackendId ? NULL : BackendIdGetProc(vxid.backendId);
#endif
}

static inline VirtualTransactionId
mig_my_vxid(void)
{
	VirtualTransactionId vxid;

	GET_VXID_FROM_PGPROC(vxid, *MyProc);
	return vxid;
}

/* 17: transaction_timeout ends sessions */
static inline bool
mig_has_transaction_timeout(void)
{
#if PG_VERSION_NUM >= 170000
	return true;
#else
	return false;
#endif
}

/* ms; 0: none */
static inline int
mig_transaction_timeout(void)
{
#if PG_VERSION_NUM >= 170000
	return TransactionTimeout;
#else
	return 0;
#endif
}

/* 16: the table of settings is a hash (commit 3057465acfbe) */
static inline struct config_generic *
mig_find_setting(const char *name)
{
#if PG_VERSION_NUM >= 160000
	return find_option(name, false, true, 0);
#else
	struct config_generic **settings = get_guc_variables();

	for (int i = 0; i < GetNumConfigOptions(); i++)
		if (pg_strcasecmp(settings[i]->name, name) == 0)
			return settings[i];
	return NULL;
#endif
}

/* 16: what a check hook hands over is no longer plain malloc (commit 407b50f2d421) */
static inline void *
mig_guc_malloc(size_t size)
{
#if PG_VERSION_NUM >= 160000
	return guc_malloc(LOG, size);
#else
	return malloc(size);
#endif
}

static inline void
mig_guc_free(void *p)
{
#if PG_VERSION_NUM >= 160000
	guc_free(p);
#else
	free(p);
#endif
}

/* 17: the stronger modes are an argument (commit e0ece2a981ee) */
static inline bool
mig_holds_lock(const LOCKTAG *tag, LOCKMODE mode)
{
#if PG_VERSION_NUM >= 170000
	return LockHeldByMe(tag, mode, false);
#else
	return LockHeldByMe(tag, mode);
#endif
}

/*
 * Take a session-level lock if it is free, raising no error whatever happens;
 * 18: and whether to log a failure (commit 6d376c3b0d1e).
 */
static inline bool
mig_try_session_lock(const LOCKTAG *tag, LOCKMODE mode)
{
#if PG_VERSION_NUM >= 180000
	return LockAcquireExtended(tag, mode, true, true, false, NULL, false) != LOCKACQUIRE_NOT_AVAIL;
#else
	return LockAcquireExtended(tag, mode, true, true, false, NULL) != LOCKACQUIRE_NOT_AVAIL;
#endif
}

/* The nth (from 1) in the snapshot of backends' statuses; 16: another name (commit d7e39d72ca1c) */
static inline PgBackendStatus *
mig_status_at(int n)
{
#if PG_VERSION_NUM >= 160000
	LocalPgBackendStatus *local = pgstat_get_local_beentry_by_index(n);
#else
	LocalPgBackendStatus *local = pgstat_fetch_stat_local_beentry(n);
#endif

	return local ? &local->backendStatus : NULL;
}

static inline PgBackendStatus *
mig_status_of_pid(int pid)
{
	for (int i = 1; i <= pgstat_fetch_stat_numbackends(); i++)
	{
		PgBackendStatus *status = mig_status_at(i);

		if (status && status->st_procpid == pid)
			return status;
	}
	return NULL;
}

/* 16: a place for soft errors */
static inline List *
mig_qualified_name(const char *name)
{
#if PG_VERSION_NUM >= 160000
	return stringToQualifiedNameList(name, NULL);
#else
	return stringToQualifiedNameList(name);
#endif
}

/* 16: one check for all classes of objects (commit c727f511bd7b) */
static inline bool
mig_can_use_schema(Oid schema, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, schema, role, ACL_USAGE) == ACLCHECK_OK;
#else
	return pg_namespace_aclcheck(schema, role, ACL_USAGE) == ACLCHECK_OK;
#endif
}

/* 17: the right to maintain a table (commit ecb0fd33720f) */
#ifdef ACL_MAINTAIN
#define MIG_ACL_MAINTAIN ACL_MAINTAIN
#else
#define MIG_ACL_MAINTAIN 0
#endif

/* 18: pg_noreturn stands before a declaration; before, an attribute stood behind it */
#ifndef pg_noreturn
#define pg_noreturn pg_attribute_noreturn()
#endif

/* 17: ALTER COLUMN ... SET EXPRESSION (commit 5d06e99a3cfc) */
static inline bool
mig_is_set_expression(const AlterTableCmd *cmd)
{
#if PG_VERSION_NUM >= 170000
	return cmd->subtype == AT_SetExpression;
#else
	return false;
#endif
}

/* 18: GRANT and REVOKE lock the table (commit 44ce4e1593b1) */
#if PG_VERSION_NUM >= 180000
#define MIG_GRANT_LOCK AccessShareLock
#else
#define MIG_GRANT_LOCK NoLock
#endif

/* 18: generated columns may be virtual (commit 83ea6c54025b) */
static inline bool
mig_is_stored(const Constraint *generated)
{
#if PG_VERSION_NUM >= 180000
	return generated->generated_kind == ATTRIBUTE_GENERATED_STORED;
#else
	return true;
#endif
}

/* 18: constraints may be not enforced (commits ca87c415e2fc, eec0040c4bcd) */
static inline bool
mig_is_enforced(const Constraint *constraint)
{
#if PG_VERSION_NUM >= 180000
	/* the parser says it of those alone that may be otherwise */
	return constraint->is_enforced ||
		(constraint->contype != CONSTR_CHECK && constraint->contype != CONSTR_FOREIGN);
#else
	return true;
#endif
}

static inline bool
mig_constraint_is_enforced(Form_pg_constraint con)
{
#if PG_VERSION_NUM >= 180000
	return con->conenforced;
#else
	return true;
#endif
}

/* 18: NOT NULL is a constraint, and can be NOT VALID (commits 14e87ffa5c54, a379061a22a8) */
#if PG_VERSION_NUM >= 180000
#define MIG_HAS_NOT_NULL_NOT_VALID true
#else
#define MIG_HAS_NOT_NULL_NOT_VALID false
#endif

/* ... of this type in pg_constraint */
#if PG_VERSION_NUM >= 180000
#define MIG_CONSTRAINT_NOTNULL CONSTRAINT_NOTNULL
#else
#define MIG_CONSTRAINT_NOTNULL 'n'
#endif

/* Is a column that says NOT NULL known to hold no null? */
static inline bool
mig_not_null_is_valid(Oid relid, AttrNumber column)
{
#if PG_VERSION_NUM >= 180000
	HeapTuple	tuple = findNotNullConstraintAttnum(relid, column);

	return !HeapTupleIsValid(tuple) ||
		((Form_pg_constraint) GETSTRUCT(tuple))->convalidated;
#else
	return true;
#endif
}

/* 18: RETURNING is a clause with options (commit 80feb727c869) */
static inline bool
mig_has_returning(Node *node)
{
#if PG_VERSION_NUM >= 180000
	return (IsA(node, UpdateStmt) ? ((UpdateStmt *) node)->returningClause :
			((DeleteStmt *) node)->returningClause) != NULL;
#else
	return (IsA(node, UpdateStmt) ? ((UpdateStmt *) node)->returningList :
			((DeleteStmt *) node)->returningList) != NIL;
#endif
}

/* The NOT NULL constraint of a column: its name, and whether a parent has it; false if there is none. */
static inline bool
mig_not_null_find(Oid relid, AttrNumber column, char **conname, bool *inherited)
{
#if PG_VERSION_NUM >= 180000
	HeapTuple	tuple = findNotNullConstraintAttnum(relid, column);

	if (HeapTupleIsValid(tuple))
	{
		*conname = pstrdup(NameStr(((Form_pg_constraint) GETSTRUCT(tuple))->conname));
		*inherited = ((Form_pg_constraint) GETSTRUCT(tuple))->coninhcount > 0;
		return true;
	}
#endif
	return false;
}

/* The name of a NOT NULL that is there and has not been validated, or NULL. */
static inline char *
mig_not_null_name(Oid relid, AttrNumber column)
{
#if PG_VERSION_NUM >= 180000
	HeapTuple	tuple = findNotNullConstraintAttnum(relid, column);

	if (HeapTupleIsValid(tuple) && !((Form_pg_constraint) GETSTRUCT(tuple))->convalidated)
		return pstrdup(NameStr(((Form_pg_constraint) GETSTRUCT(tuple))->conname));
#endif
	return NULL;
}

/* 18: a foreign key of a partitioned table may be NOT VALID (commit b663b9436e75) */
#if PG_VERSION_NUM >= 180000
#define MIG_HAS_PARTITIONED_FK_NOT_VALID true
#else
#define MIG_HAS_PARTITIONED_FK_NOT_VALID false
#endif

/* Its constraint; 18: it has one */
static inline Oid
mig_not_null_constraint(Oid relid, AttrNumber column)
{
#if PG_VERSION_NUM >= 180000
	HeapTuple	tuple = findNotNullConstraintAttnum(relid, column);

	return HeapTupleIsValid(tuple) ? ((Form_pg_constraint) GETSTRUCT(tuple))->oid : InvalidOid;
#else
	return InvalidOid;
#endif
}

/* 18: temporal keys (commit fc0438b4e805) */
static inline bool
mig_constraint_without_overlaps(const Constraint *con)
{
#if PG_VERSION_NUM >= 180000
	return con->without_overlaps || con->fk_with_period;
#else
	return false;
#endif
}

/* 18: ALTER CONSTRAINT ... ENFORCED checks all rows (commit eec0040c4bcd) */
static inline bool
mig_enforces(const AlterTableCmd *cmd)
{
#if PG_VERSION_NUM >= 180000
	return cmd->subtype == AT_AlterConstraint &&
		castNode(ATAlterConstraint, cmd->def)->alterEnforceability &&
		castNode(ATAlterConstraint, cmd->def)->is_enforced;
#else
	return false;
#endif
}

/* 18: a foreign key of a partitioned table may be NOT VALID (commit b663b9436e75) */
#if PG_VERSION_NUM >= 180000
#define MIG_PARTITIONED_KEY_NOT_VALID true
#else
#define MIG_PARTITIONED_KEY_NOT_VALID false
#endif

/* 18: ALTER CONSTRAINT has a node of its own, and can do more (commits f4694e0f35b2, eec0040c4bcd) */
static inline const char *
mig_altered_constraint(const AlterTableCmd *cmd)
{
#if PG_VERSION_NUM >= 180000
	return castNode(ATAlterConstraint, cmd->def)->conname;
#else
	return castNode(Constraint, cmd->def)->conname;
#endif
}

static inline bool
mig_alters_enforceability(const AlterTableCmd *cmd)
{
#if PG_VERSION_NUM >= 180000
	return castNode(ATAlterConstraint, cmd->def)->alterEnforceability;
#else
	return false;
#endif
}

static inline bool
mig_alters_inheritability(const AlterTableCmd *cmd)
{
#if PG_VERSION_NUM >= 180000
	return castNode(ATAlterConstraint, cmd->def)->alterInheritability;
#else
	return false;
#endif
}

/* 18: ADD CONSTRAINT locks the whole tree, whatever comes of it there (commit 14e87ffa5c54) */
#if PG_VERSION_NUM >= 180000
#define MIG_ADD_CONSTRAINT_LOCKS_TREE true
#else
#define MIG_ADD_CONSTRAINT_LOCKS_TREE false
#endif

/* 18: a partitioned table is neither LOGGED nor UNLOGGED (commit e2bab2d79204) */
#if PG_VERSION_NUM >= 180000
#define MIG_PARTITIONED_LOGGED false
#else
#define MIG_PARTITIONED_LOGGED true
#endif

/* 17: EXCLUDE on a partitioned table, with its key (commit 8c852ba9a4ba) */
#if PG_VERSION_NUM >= 170000
#define MIG_PARTITIONED_EXCLUSION true
#else
#define MIG_PARTITIONED_EXCLUSION false
#endif

/* 17: partitions have the identity columns of the partitioned table (commit 699586315704) */
#if PG_VERSION_NUM >= 170000
#define MIG_PARTITIONED_IDENTITY true
#else
#define MIG_PARTITIONED_IDENTITY false
#endif

/* 17: a partitioned table has an access method for its partitions to come (commit 374c7a229042) */
#if PG_VERSION_NUM >= 170000
#define MIG_PARTITIONED_ACCESS_METHOD true
#else
#define MIG_PARTITIONED_ACCESS_METHOD false
#endif

/* 16: whether columns may be missing; here they may not (commit ad86d159b6ab) */
static inline AttrMap *
mig_attrmap_by_name(TupleDesc indesc, TupleDesc outdesc)
{
#if PG_VERSION_NUM >= 160000
	return build_attrmap_by_name(indesc, outdesc, false);
#else
	return build_attrmap_by_name(indesc, outdesc);
#endif
}

/* 16: a membership has options of its own (commits e3ce2de09d81, 3d14e171e9e2) */
#if PG_VERSION_NUM >= 160000
#define MIG_HAS_MEMBER_OPTIONS true
#else
#define MIG_HAS_MEMBER_OPTIONS false
#endif

static inline bool
mig_grant_role_has_options(const GrantRoleStmt *stmt)
{
#if PG_VERSION_NUM >= 160000
	return stmt->opt != NIL;
#else
	return stmt->admin_opt;
#endif
}

/* 16: summarizing indexes (BRIN) do not stand in the way of HOT (commit 19d8e2308bc5) */
static inline Bitmapset *
mig_hot_blocking_columns(Relation rel)
{
#if PG_VERSION_NUM >= 160000
	return RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_HOT_BLOCKING);
#else
	return RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_ALL);
#endif
}

/* 18: transformRelOptions() takes its prefixes as constants */
#if PG_VERSION_NUM >= 180000
typedef const char *const MigOptionPrefix;
#else
typedef char *MigOptionPrefix;
#endif

#endif							/* MIGRATE_COMPAT_H */
