-- What the marketplace's clock showed at its last answer, and what our clock that nobody sets showed then: how long
-- that boot of the machine had lasted. After another boot it is what the marketplace's clock showed at least, and
-- `said_exact` is 0. So it is for an answer from before, which has no such mark.
alter table accounts_access add column said_theirs integer;
alter table accounts_access add column said_life text;
alter table accounts_access add column said_up_ms integer;
alter table accounts_access add column said_exact integer not null default 0;
update accounts_access set said_theirs = last_answer_at + clock_offset_ms where last_answer_at is not null;
