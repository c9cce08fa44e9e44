-- What we kept out of a prompt, in tokens: of what it had anew, and of what had been sent before.
ALTER TABLE attempts ADD COLUMN spared_new BIGINT NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN spared_earlier BIGINT NOT NULL DEFAULT 0;
-- 1: the gateway sent it for ends of its own, and without it there had been no such call.
ALTER TABLE attempts ADD COLUMN extra BIGINT NOT NULL DEFAULT 0;
