-- A notice names the trace it is part of; those of before name none.

ALTER TABLE projections.notice ADD COLUMN traceparent text COLLATE "C";
ALTER TYPE projections.notice_row ADD ATTRIBUTE traceparent text;
