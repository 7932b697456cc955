-- Run before the migrations: whatever the schema and the statements call clock_timestamp() reads the virtual clock.
-- A file, because telling the session would be a round trip before every statement. {file} holds seconds since 1970.
CREATE SCHEMA simulated;
CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT pg_catalog.to_timestamp(pg_catalog.pg_read_file('{file}', 0, 17)::float8)
$$;
