package postgresql

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/keyturn/keyturn/internal/target"
)

// Rights implements target.Comparer: what the role is, belongs to, owns, was granted and is set up with, in every database
// of the server in which it has anything.
func (t *Target) Rights(ctx context.Context, c target.Connection, by target.Login, account string) ([]string, error) {
	if err := checkRole(account); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	conn, err := t.login(ctx, c, by)
	if err != nil {
		return nil, err
	}
	defer closeConn(conn)
	var role uint32
	err = conn.QueryRow(ctx, `SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1`, account).Scan(&role)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &target.Error{Outcome: target.NoSuchAccount, Msg: "the server has no role " + account, Cure: "create the role, or correct the account's logins"}
	}
	if err != nil {
		return nil, queryError(err)
	}
	lines, err := rightsIn(ctx, conn, sharedRights, role)
	if err != nil {
		return nil, err
	}
	// A database in which the role has something is found by what the server remembers so that the role cannot be dropped.
	databases, err := texts(ctx, conn, `SELECT d.datname::text FROM pg_catalog.pg_database d WHERE d.oid IN
		(SELECT dbid FROM pg_catalog.pg_shdepend WHERE refclassid = 'pg_catalog.pg_authid'::regclass AND refobjid = $1) ORDER BY 1`, role)
	if err != nil {
		return nil, err
	}
	for _, name := range databases {
		more, err := t.rightsInDatabase(ctx, c, by, name, role)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

// rightsInDatabase returns what the role has in one database.
func (t *Target) rightsInDatabase(ctx context.Context, c target.Connection, by target.Login, name string, role uint32) ([]string, error) {
	at := target.Connection{}
	for k, v := range c {
		at[k] = v
	}
	at[fieldDatabase] = name
	conn, err := t.login(ctx, at, by)
	if err != nil {
		if target.OutcomeOf(err) == target.NotPermitted {
			err = &target.Error{Outcome: target.NotPermitted, Msg: "the login " + by.User + " may not look into the database " + name + ", in which a login of the pair has rights",
				Cure: "GRANT CONNECT ON DATABASE to it, or give the resource a reconcile account that may"}
		}
		return nil, err
	}
	defer closeConn(conn)
	lines, err := rightsIn(ctx, conn, databaseRights, role)
	for i := range lines {
		lines[i] += " (database " + name + ")"
	}
	return lines, err
}

// rightsIn puts the queries' lines together. Each query takes the role's oid as $1. The catalogs are named in full, and the
// session's search path is empty, so that names of objects come with their schemas.
func rightsIn(ctx context.Context, conn *pgx.Conn, queries []string, role uint32) (all []string, err error) {
	if _, err := conn.Exec(ctx, `SELECT pg_catalog.set_config('role', 'none', false), pg_catalog.set_config('search_path', '', false)`); err != nil {
		return nil, queryError(err)
	}
	for _, text := range queries {
		lines, err := texts(ctx, conn, text, role)
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	return all, nil
}

func texts(ctx context.Context, conn *pgx.Conn, text string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, text, args...)
	if err != nil {
		return nil, queryError(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, queryError(err)
	}
	return lines, nil
}

// granted is the end of a line about one entry of an access list; x is what aclexplode makes of the list.
const granted = ` || CASE WHEN x.is_grantable THEN ' with grant option' ELSE '' END`

// sharedRights are what a role has on the server as a whole.
var sharedRights = []string{
	// What it is.
	`SELECT pg_catalog.unnest(pg_catalog.array_remove(ARRAY[
		CASE WHEN rolsuper THEN 'is a superuser' END, CASE WHEN NOT rolinherit THEN 'is NOINHERIT' END, CASE WHEN rolcreaterole THEN 'has CREATEROLE' END,
		CASE WHEN rolcreatedb THEN 'has CREATEDB' END, CASE WHEN NOT rolcanlogin THEN 'is NOLOGIN' END, CASE WHEN rolreplication THEN 'has REPLICATION' END,
		CASE WHEN rolbypassrls THEN 'has BYPASSRLS' END, CASE WHEN rolconnlimit >= 0 THEN 'has CONNECTION LIMIT ' || rolconnlimit END,
		CASE WHEN rolvaliduntil IS NOT NULL AND rolvaliduntil <> 'infinity' THEN 'is VALID UNTIL ' || (rolvaliduntil AT TIME ZONE 'UTC')::text || ' UTC' END], NULL))
		FROM pg_catalog.pg_roles WHERE oid = $1`,
	// What it is a member of. Newer servers have more columns, such as set_option; a row as JSON has what there is.
	`SELECT 'is a member of ' || pg_catalog.quote_ident(r.rolname) || CASE WHEN m.admin_option THEN ' with admin option' ELSE '' END
		|| CASE WHEN pg_catalog.to_jsonb(m) ->> 'inherit_option' = 'false' THEN ' without inherit' ELSE '' END
		|| CASE WHEN pg_catalog.to_jsonb(m) ->> 'set_option' = 'false' THEN ' without set' ELSE '' END
		FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.roleid WHERE m.member = $1`,
	// Its settings, for all databases and for single ones.
	`SELECT 'is set to ' || pg_catalog.unnest(s.setconfig) || COALESCE(' in database ' || pg_catalog.quote_ident(d.datname), '')
		FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase WHERE s.setrole = $1`,
	// What it was granted on databases, tablespaces and server parameters.
	`SELECT 'has ' || x.privilege_type || ' on database ' || pg_catalog.quote_ident(o.datname)` + granted + `
		FROM pg_catalog.pg_database o, pg_catalog.aclexplode(o.datacl) x WHERE x.grantee = $1`,
	`SELECT 'has ' || x.privilege_type || ' on tablespace ' || pg_catalog.quote_ident(o.spcname)` + granted + `
		FROM pg_catalog.pg_tablespace o, pg_catalog.aclexplode(o.spcacl) x WHERE x.grantee = $1`,
	// What it owns of these.
	`SELECT 'owns ' || pg_catalog.pg_describe_object(s.classid, s.objid, s.objsubid) FROM pg_catalog.pg_shdepend s
		WHERE s.dbid = 0 AND s.deptype = 'o' AND s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.refobjid = $1`,
	// Rights on anything else that is shared, such as parameters.
	`SELECT 'has rights on ' || pg_catalog.pg_describe_object(s.classid, s.objid, s.objsubid) FROM pg_catalog.pg_shdepend s
		WHERE s.dbid = 0 AND s.deptype <> 'o' AND s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.refobjid = $1
		AND s.classid NOT IN ('pg_catalog.pg_database'::regclass, 'pg_catalog.pg_tablespace'::regclass, 'pg_catalog.pg_auth_members'::regclass)`,
}

// databaseRights are what a role has in the database of the session.
var databaseRights = []string{
	`SELECT 'owns ' || pg_catalog.pg_describe_object(s.classid, s.objid, s.objsubid) FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_database d ON d.oid = s.dbid
		WHERE d.datname = pg_catalog.current_database() AND s.deptype = 'o' AND s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.refobjid = $1
		AND s.classid <> 'pg_catalog.pg_default_acl'::regclass`,
	`SELECT 'has ' || x.privilege_type || ' on schema ' || pg_catalog.quote_ident(o.nspname)` + granted + `
		FROM pg_catalog.pg_namespace o, pg_catalog.aclexplode(o.nspacl) x WHERE x.grantee = $1`,
	`SELECT 'has ' || x.privilege_type || ' on ' || pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, o.oid, 0)` + granted + `
		FROM pg_catalog.pg_class o, pg_catalog.aclexplode(o.relacl) x WHERE x.grantee = $1`,
	`SELECT 'has ' || x.privilege_type || ' on ' || pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, o.attrelid, o.attnum)` + granted + `
		FROM pg_catalog.pg_attribute o, pg_catalog.aclexplode(o.attacl) x WHERE x.grantee = $1 AND NOT o.attisdropped`,
	`SELECT 'has ' || x.privilege_type || ' on ' || pg_catalog.pg_describe_object('pg_catalog.pg_proc'::regclass, o.oid, 0)` + granted + `
		FROM pg_catalog.pg_proc o, pg_catalog.aclexplode(o.proacl) x WHERE x.grantee = $1`,
	`SELECT 'has ' || x.privilege_type || ' on ' || pg_catalog.pg_describe_object('pg_catalog.pg_type'::regclass, o.oid, 0)` + granted + `
		FROM pg_catalog.pg_type o, pg_catalog.aclexplode(o.typacl) x WHERE x.grantee = $1`,
	`SELECT 'has ' || x.privilege_type || ' on ' || pg_catalog.pg_describe_object('pg_catalog.pg_language'::regclass, o.oid, 0)` + granted + `
		FROM pg_catalog.pg_language o, pg_catalog.aclexplode(o.lanacl) x WHERE x.grantee = $1`,
	`SELECT 'has ' || x.privilege_type || ' on ' || pg_catalog.pg_describe_object('pg_catalog.pg_foreign_data_wrapper'::regclass, o.oid, 0)` + granted + `
		FROM pg_catalog.pg_foreign_data_wrapper o, pg_catalog.aclexplode(o.fdwacl) x WHERE x.grantee = $1`,
	`SELECT 'has ' || x.privilege_type || ' on ' || pg_catalog.pg_describe_object('pg_catalog.pg_foreign_server'::regclass, o.oid, 0)` + granted + `
		FROM pg_catalog.pg_foreign_server o, pg_catalog.aclexplode(o.srvacl) x WHERE x.grantee = $1`,
	`SELECT 'has ' || x.privilege_type || ' on large object ' || o.oid` + granted + `
		FROM pg_catalog.pg_largeobject_metadata o, pg_catalog.aclexplode(o.lomacl) x WHERE x.grantee = $1`,
	// Default privileges: what it gets on objects that others will make, and what others get on those that it will make.
	`SELECT 'has by default ' || x.privilege_type || ' on what ' || pg_catalog.quote_ident(r.rolname) || ' makes (' || o.defaclobjtype::text || ')'
		|| COALESCE(' in schema ' || pg_catalog.quote_ident(n.nspname), '')` + granted + `
		FROM pg_catalog.pg_default_acl o JOIN pg_catalog.pg_roles r ON r.oid = o.defaclrole LEFT JOIN pg_catalog.pg_namespace n ON n.oid = o.defaclnamespace,
		pg_catalog.aclexplode(o.defaclacl) x WHERE x.grantee = $1 AND o.defaclrole <> $1`,
	`SELECT 'gives by default ' || x.privilege_type || ' on what it makes (' || o.defaclobjtype::text || ')'
		|| COALESCE(' in schema ' || pg_catalog.quote_ident(n.nspname), '') || ' to '
		|| CASE WHEN x.grantee = 0 THEN 'everybody' WHEN x.grantee = $1 THEN 'itself' ELSE COALESCE(pg_catalog.quote_ident(g.rolname), 'nobody') END` + granted + `
		FROM pg_catalog.pg_default_acl o LEFT JOIN pg_catalog.pg_namespace n ON n.oid = o.defaclnamespace
		LEFT JOIN LATERAL pg_catalog.aclexplode(o.defaclacl) x ON true LEFT JOIN pg_catalog.pg_roles g ON g.oid = x.grantee WHERE o.defaclrole = $1`,
	`SELECT 'is named by ' || pg_catalog.pg_describe_object('pg_catalog.pg_policy'::regclass, o.oid, 0) FROM pg_catalog.pg_policy o WHERE $1 = ANY (o.polroles)`,
	`SELECT 'has a user mapping for server ' || pg_catalog.quote_ident(o.srvname) FROM pg_catalog.pg_user_mappings o WHERE o.umuser = $1`,
	// Rights on kinds of objects that are not named above.
	`SELECT 'has rights on ' || pg_catalog.pg_describe_object(s.classid, s.objid, s.objsubid) FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_database d ON d.oid = s.dbid
		WHERE d.datname = pg_catalog.current_database() AND s.deptype NOT IN ('o', 'i') AND s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.refobjid = $1
		AND s.classid NOT IN ('pg_catalog.pg_namespace'::regclass, 'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_type'::regclass,
			'pg_catalog.pg_language'::regclass, 'pg_catalog.pg_foreign_data_wrapper'::regclass, 'pg_catalog.pg_foreign_server'::regclass,
			'pg_catalog.pg_largeobject'::regclass, 'pg_catalog.pg_default_acl'::regclass, 'pg_catalog.pg_policy'::regclass)`,
}
