-- What a refusal was taken for, the answer that decided, and how often the agent has asked again by itself.
alter table accounts_access add column cause text;
alter table accounts_access add column evidence_status integer;
alter table accounts_access add column evidence_digest text;
alter table accounts_access add column probes integer not null default 0;

-- Resources that are refused while the rest of the account works.
create table closed_resources (
    account  text    not null,
    resource text    not null,
    status   integer not null,
    digest   text    not null,
    since    integer not null,
    times    integer not null,
    again_at integer not null,
    primary key (account, resource)
) strict, without rowid;
