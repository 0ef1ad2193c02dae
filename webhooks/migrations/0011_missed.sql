-- Owners choose whether an endpoint that was disabled is sent what it missed, once it is enabled.

ALTER TABLE webhooks.endpoint
    ADD COLUMN missed text COLLATE "C" NOT NULL DEFAULT 'send' CHECK (missed IN ('send', 'skip'));
