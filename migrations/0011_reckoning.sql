-- What the marketplace's clock showed at its last answer, and what our clock that nobody sets showed then: how long
-- that boot of the machine had lasted. An answer from before has no such mark: its time is the least that it can be.
alter table accounts_access add column said_theirs integer;
alter table accounts_access add column said_life text;
alter table accounts_access add column said_up_ms integer;
update accounts_access set said_theirs = last_answer_at + clock_offset_ms where last_answer_at is not null;
