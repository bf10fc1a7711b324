/**
 * The tables and views of some names as the database has them.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

export interface Column {
  readonly name: string
  /** The base type's own name: `text`, `int4`, `timestamptz`. */
  readonly type: string
  readonly notNull: boolean
  /** It has a default, counts by itself, or is computed. */
  readonly fillsItself: boolean
  readonly isComputed: boolean
}

export interface Constraint {
  readonly name: string
  /** As in `pg_constraint`: p primary key, u unique, f foreign key, c check, x exclusion. */
  readonly kind: string
  readonly columns: ReadonlyArray<string>
}

export interface Grant {
  readonly grantee: string
  readonly privilege: string
  readonly isGrantable: boolean
}

export interface Relation {
  readonly name: string
  readonly schema: string
  /** As in `pg_class`: r table, p partitioned table, v view, m materialized view, f foreign table. */
  readonly kind: string
  readonly owner: string
  readonly columns: ReadonlyArray<Column>
  readonly constraints: ReadonlyArray<Constraint>
  readonly grants: ReadonlyArray<Grant>
}

/** Those of the names that a statement of this session would find. */
export const readRelations = (
  sql: SqlClient.SqlClient,
  names: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Relation>, SqlError> =>
  sql<{ relation: Relation }>`
    SELECT jsonb_build_object(
      'name', class.relname, 'schema', namespace.nspname, 'kind', class.relkind,
      'owner', pg_get_userbyid(class.relowner),
      'columns', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
          'name', attribute.attname, 'type', type.typname, 'notNull', attribute.attnotnull,
          'fillsItself', attribute.atthasdef OR attribute.attidentity <> '', 'isComputed', attribute.attgenerated <> ''
        ) ORDER BY attribute.attnum), '[]')
        FROM pg_attribute AS attribute JOIN pg_type AS type ON type.oid = attribute.atttypid
        WHERE attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
      ),
      'constraints', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
          'name', known.conname, 'kind', known.contype,
          'columns', (
            SELECT coalesce(jsonb_agg(attribute.attname), '[]') FROM pg_attribute AS attribute
            WHERE attribute.attrelid = known.conrelid AND attribute.attnum = ANY (known.conkey)
          )
        ) ORDER BY known.conname), '[]')
        FROM pg_constraint AS known WHERE known.conrelid = class.oid AND known.contype <> 'n'
      ),
      'grants', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
          'grantee', CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END,
          'privilege', acl.privilege_type, 'isGrantable', acl.is_grantable
        )), '[]')
        FROM aclexplode(class.relacl) AS acl WHERE acl.grantee <> class.relowner
      )
    ) AS relation
    FROM jsonb_array_elements_text(${JSON.stringify(names)}::jsonb) AS wanted (name)
    JOIN pg_class AS class ON class.oid = to_regclass(quote_ident(wanted.name))
    JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
  `.pipe(Effect.map((rows) => rows.map(({ relation }) => relation)))
