-- Rights: grant_right, revoke_right, reassign, and the view of them
CREATE EXTENSION migrate;
CREATE ROLE regress_owner;
CREATE ROLE regress_deployer;
CREATE ROLE regress_stranger;
GRANT USAGE ON SCHEMA migrate TO regress_owner, regress_deployer, regress_stranger;

-- arguments
SELECT migrate.grant_right(NULL, 'regress_deployer', 'regress_owner');
SELECT migrate.grant_right('apply', NULL, 'regress_owner');
SELECT migrate.grant_right('apply', 'regress_deployer', NULL);
SELECT migrate.grant_right('', 'regress_deployer', 'regress_owner');
SELECT migrate.grant_right('APPLY', 'regress_deployer', 'regress_owner');
SELECT migrate.grant_right('apply', 'regress_nobody', 'regress_owner');
SELECT migrate.grant_right('apply', 0, 'regress_owner');
SELECT migrate.grant_right('apply', 'regress_deployer', 0);
SELECT migrate.grant_right('apply', 'regress_owner', 'regress_owner');
SELECT migrate.revoke_right(NULL, 'regress_deployer', 'regress_owner');
SELECT migrate.revoke_right('applying', 'regress_deployer', 'regress_owner');
SELECT migrate.revoke_right('apply', 0, 'regress_owner');
SELECT count(*) FROM migrate.rights;

-- granting twice is granting once, and so is revoking
SET ROLE regress_owner;
SELECT migrate.grant_right('apply', 'regress_deployer', 'regress_owner');
SELECT migrate.grant_right('apply', 'regress_deployer', 'regress_owner');
SELECT migrate.grant_right('rollback', 'regress_deployer', 'regress_owner');
SELECT owner, "right", grantee, granted_by FROM migrate.rights;
SELECT migrate.revoke_right('apply', 'regress_deployer', 'regress_owner');
SELECT migrate.revoke_right('apply', 'regress_deployer', 'regress_owner');
SELECT owner, "right", grantee, granted_by FROM migrate.rights;

-- only who may become the owner may give or take them
SET ROLE regress_deployer;
SELECT migrate.grant_right('complete', 'regress_deployer', 'regress_owner');
SELECT migrate.grant_right('complete', 'regress_stranger', 'regress_owner');
SELECT migrate.revoke_right('rollback', 'regress_deployer', 'regress_owner');
RESET ROLE;
SELECT owner, "right", grantee, granted_by FROM migrate.rights;

-- what a right is for, and what it is not for
SET ROLE regress_owner;
SELECT migrate.register('0001', 'SELECT 1');
SET ROLE regress_stranger;
CALL migrate.apply();
SET ROLE regress_deployer;
CALL migrate.apply();
SELECT migrate.register('0001', 'SELECT 2');
SELECT migrate.unregister('0001');
SELECT migrate.pause('0001');
RESET ROLE;
SELECT version, state FROM migrate.status;
-- a right that a role has through another one
SELECT migrate.grant_right('apply', 'regress_deployer', 'regress_owner');
GRANT regress_deployer TO regress_stranger;
SET ROLE regress_stranger;
CALL migrate.apply();
RESET ROLE;
SELECT version, owner, state, applied_by FROM migrate.status JOIN migrate.migrations USING (version);

-- reassign: arguments
SELECT migrate.reassign(NULL, 'regress_owner');
SELECT migrate.reassign('regress_owner', NULL);
SELECT migrate.reassign('regress_owner', 0);
SELECT migrate.reassign('regress_owner', 'regress_owner');
SELECT migrate.reassign('', 'regress_owner');
SELECT migrate.reassign('regress_nobody', 'regress_owner');
-- rights
SET ROLE regress_deployer;
SELECT migrate.reassign('regress_owner', 'regress_deployer');
SELECT migrate.reassign('regress_nobody', 'regress_deployer');
SET ROLE regress_owner;
SELECT migrate.reassign('regress_owner', 'regress_deployer');
RESET ROLE;
SELECT version, owner FROM migrate.migrations;
-- a member of both
GRANT regress_owner TO regress_stranger;
SET ROLE regress_stranger;
SELECT migrate.reassign('regress_owner', 'regress_deployer');
SELECT migrate.reassign('regress_owner', 'regress_deployer');
RESET ROLE;
SELECT version, owner FROM migrate.migrations;
SELECT version, event, message, role FROM migrate.history WHERE event = 'reassigned';
-- other scopes are left alone
SET migrate.scope = 'other';
SELECT migrate.reassign('regress_deployer', 'regress_owner');
RESET migrate.scope;
SELECT version, owner FROM migrate.migrations;

-- a role that is missing: its migrations do not run, and are given away
SELECT migrate.register('0002', 'SELECT 1');
SET ROLE regress_owner;
SELECT migrate.register('0003', 'SELECT 1');
RESET ROLE;
REVOKE ALL ON SCHEMA migrate FROM regress_owner;
DROP ROLE regress_owner;
CALL migrate.apply('0003');
SELECT "right", grantee FROM migrate.rights WHERE owner = 'regress_owner';
SELECT migrate.reassign('regress_owner', current_user::regrole);
SELECT "right", grantee FROM migrate.rights WHERE owner = 'regress_owner';
CALL migrate.apply();
SELECT version, state FROM migrate.status;

DROP EXTENSION migrate;
DROP SCHEMA migrate;
DROP ROLE regress_deployer, regress_stranger;
