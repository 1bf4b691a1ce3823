-- Requests that left while nobody knew what time it is at the marketplace, since it last told it, and that may have arrived
-- in another window than the one that they are counted in.
alter table accounts_access add column said_doubted integer not null default 0;

-- Of the canaries of a suspended account, those that nobody was told anything of. Before, all counted as such.
alter table accounts_access add column unread integer not null default 0;
update accounts_access set unread = probes where cause = 'undecided';
