-- The role the service works as. It owns nothing: what it may do to each table stands beside the table.
-- Roles belong to the whole server, so another database of it may have made this one, even at this very moment.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rollbook_service') THEN
        CREATE ROLE rollbook_service NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
-- From PostgreSQL 16 on, who creates a role is its member, and may still not become it before that is granted too.
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'rollbook_service',
        CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END)
    THEN
        EXECUTE format('GRANT rollbook_service TO %I', current_user);
    END IF;
END $$;
