-- index_replay: the keys of a replay's tables, once they are filled; `scratch` stands for the schema.
ALTER TABLE scratch.customer ADD PRIMARY KEY (account, livemode, id);
ALTER TABLE scratch.resource ADD PRIMARY KEY (account, livemode, kind, id);
ALTER TABLE scratch.event ADD PRIMARY KEY (position);
