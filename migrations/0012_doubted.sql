-- Requests that left while nobody knew what time it is at the marketplace, since it last told it, and that may have arrived
-- in another window than the one that they are counted in.
alter table accounts_access add column said_doubted integer not null default 0;
