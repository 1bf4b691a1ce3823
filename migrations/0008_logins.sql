-- Who an account is, as its marketplace says.

-- The last login that was accepted. Who it was stays known after a logout, so that another seller is noticed.
create table logins (
    account          text    primary key,
    identity_id      integer,
    identity         text,
    -- What was granted, words separated by commas; empty where the marketplace does not say.
    scopes           text,
    -- The credentials that this is about: others that are put into place by hand have another mark.
    credentials_mark text,
    token_created_at integer,
    expires_at       integer,
    checked_at       integer
) strict, without rowid;
