-- Invariants that hold after every single statement. A statement that breaks one fails, and its world with it.

CREATE FUNCTION broken(what text, request uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: %', what, request USING ERRCODE = 'VS999';
END $$;

-- States move along the life cycle only (interface.md 4.2).
CREATE FUNCTION guard_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state NOT IN (1, 6) OR (NEW.state = 6 AND NEW.has_request) THEN
            PERFORM broken('a record began as ' || NEW.state, NEW.request_id);
        END IF;
        RETURN NULL;
    END IF;
    IF NEW.state <> OLD.state AND NOT (
           (OLD.state = 1 AND NEW.state IN (2, 3, 4, 5, 6))
        OR (OLD.state = 4 AND NEW.state IN (2, 3, 5, 6))
        OR (OLD.state = 2 AND NEW.state IN (5, 6))
        OR (OLD.state = 5 AND NEW.state = 6 AND EXISTS ( -- A10: our own confirmation, of which nobody has heard
               SELECT 1 FROM advice
                WHERE request_id = NEW.request_id AND generation = NEW.generation
                  AND kind = 1 AND by_switch AND state = 5 AND attempts = 0))) THEN
        PERFORM broken('a record went from ' || OLD.state || ' to ' || NEW.state, NEW.request_id);
    END IF;
    IF NEW.state IN (2, 5) AND NEW.answer IS NULL THEN
        PERFORM broken('approved without an answer to repeat', NEW.request_id);
    END IF;
    IF NEW.provider_id IS DISTINCT FROM OLD.provider_id AND OLD.state <> 1 THEN
        PERFORM broken('sent elsewhere after the outcome', NEW.request_id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER guard AFTER INSERT OR UPDATE ON transaction FOR EACH ROW EXECUTE FUNCTION guard_transaction();

-- An acknowledged advice never vanishes and never comes back; a request is not both confirmed and reversed.
CREATE FUNCTION guard_advice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.state <> OLD.state AND NOT (
           (OLD.state = 1 AND NEW.state IN (2, 3, 4, 5, 7)) OR (OLD.state = 4 AND NEW.state IN (1, 7))
        OR (OLD.state = 2 AND NEW.state = 1 AND NEW.kind = 2)) THEN -- told again: an approval came after its reversal
        PERFORM broken('an advice went from ' || OLD.state || ' to ' || NEW.state, NEW.request_id);
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.attempts < OLD.attempts THEN
        PERFORM broken('an attempt was forgotten', NEW.request_id);
    END IF;
    IF NEW.state IN (1, 2, 3, 4) AND EXISTS (
           SELECT 1 FROM advice
            WHERE request_id = NEW.request_id AND generation = NEW.generation
              AND kind <> NEW.kind AND state IN (1, 2, 3, 4)) THEN
        PERFORM broken('both confirmed and reversed', NEW.request_id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER guard AFTER INSERT OR UPDATE ON advice FOR EACH ROW EXECUTE FUNCTION guard_advice();

-- A voucher that a redemption or refund holds is let go by that one alone.
CREATE FUNCTION guard_voucher() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.open_id IS NOT NULL AND NEW.open_id IS NOT NULL
       AND (NEW.open_id, NEW.open_generation) IS DISTINCT FROM (OLD.open_id, OLD.open_generation) THEN
        PERFORM broken('a voucher claimed twice', NEW.open_id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER guard AFTER UPDATE ON voucher FOR EACH ROW EXECUTE FUNCTION guard_voucher();
