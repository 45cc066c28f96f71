-- What the install script must keep to, whatever else it makes.
CREATE EXTENSION migrate;

-- Every object that users see says what it is for.
SELECT pg_describe_object(d.classid, d.objid, 0) AS "without a comment"
  FROM pg_depend d
 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
   AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'migrate')
   AND (SELECT i.schema FROM pg_identify_object(d.classid, d.objid, 0) i) = 'migrate'
   AND d.classid IN ('pg_proc'::regclass, 'pg_class'::regclass)
   AND obj_description(d.objid, d.classid::regclass::name) IS NULL
 ORDER BY 1 COLLATE "C";

-- Every argument has a name, for calls with name => value.
SELECT p.oid::regprocedure AS "arguments without a name"
  FROM pg_proc p
 WHERE p.pronamespace = 'migrate'::regnamespace AND p.pronargs > 0
   AND (p.proargnames IS NULL OR '' = ANY (p.proargnames))
 ORDER BY p.oid::regprocedure::text COLLATE "C";

-- Neither schema is open to PUBLIC.
SELECT n.nspname AS "open to PUBLIC"
  FROM pg_namespace n, aclexplode(n.nspacl) a
 WHERE n.nspname IN ('migrate', 'migrate_internal') AND a.grantee = 0;

-- No role but the owner has any right on a table or sequence.
SELECT c.oid::regclass AS "granted to somebody"
  FROM pg_class c, aclexplode(c.relacl) a
 WHERE c.relnamespace = 'migrate_internal'::regnamespace AND a.grantee <> c.relowner;

-- What PUBLIC may execute in migrate_internal: no more than what views need,
-- whose functions run with the rights of whoever reads the view.
SELECT p.oid::regprocedure AS "executable by PUBLIC"
  FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
 WHERE p.pronamespace = 'migrate_internal'::regnamespace AND a.grantee = 0
 ORDER BY p.oid::regprocedure::text COLLATE "C";

-- Nothing changes whose rights are in force; a procedure that did could not commit.
SELECT p.oid::regprocedure AS "security definer, or with SET"
  FROM pg_proc p
 WHERE p.pronamespace IN ('migrate'::regnamespace, 'migrate_internal'::regnamespace)
   AND (p.prosecdef OR p.proconfig IS NOT NULL)
 ORDER BY p.oid::regprocedure::text COLLATE "C";

-- The key of every table that is about migrations begins with the scope.
SELECT i.indrelid::regclass AS "key without scope"
  FROM pg_index i
 WHERE i.indisprimary
   AND (SELECT relnamespace FROM pg_class WHERE oid = i.indrelid) = 'migrate_internal'::regnamespace
   AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = 'version')
   AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = 'scope')
   AND (SELECT attname FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[0]) NOT IN ('scope', 'id')
 ORDER BY i.indrelid::regclass::text COLLATE "C";

DROP EXTENSION migrate;
