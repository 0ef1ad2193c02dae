-- Items of a batch may stand or fall together: one command's events in several streams.
ALTER TYPE events.item ADD ATTRIBUTE leader integer;
