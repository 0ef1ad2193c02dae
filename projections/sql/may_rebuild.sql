-- may_rebuild: whether this role may make tables beside those of the read models, and swap them.
SELECT pg_has_role(c.relowner, 'MEMBER') AND has_database_privilege(current_database(), 'CREATE')
FROM pg_class c WHERE c.oid = 'projections.customer'::regclass;
