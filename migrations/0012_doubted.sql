-- Requests that left while nobody knew what time it is at the marketplace, since it last told it. They may have arrived in
-- any window.
alter table accounts_access add column said_doubted integer not null default 0;
