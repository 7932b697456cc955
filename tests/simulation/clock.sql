-- Run before the migrations: whatever the schema and the statements call clock_timestamp() reads the virtual clock.
CREATE SCHEMA simulated;
CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT pg_catalog.to_timestamp(pg_catalog.current_setting('simulated.now')::float8)
$$;
