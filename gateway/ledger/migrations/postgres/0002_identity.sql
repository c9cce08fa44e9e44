-- Which ledger this is, for good: one row.
CREATE TABLE identity (
    id TEXT NOT NULL PRIMARY KEY
);
INSERT INTO identity (id) VALUES (replace(gen_random_uuid()::text, '-', ''));
