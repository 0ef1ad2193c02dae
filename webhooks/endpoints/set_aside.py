"""Reasons why an endpoint is set aside (quarantined): its stored data is unusable.

Pure. Which of the reasons holds is found out in webhooks/dispatch/workable.py, when the lane is leased.
"""

from typing import Literal

Reason = Literal[
    "url_unreadable", "rules_invalid", "state_invalid", "secret_unreadable", "statement_failed", "internal"
]
WORDS: dict[Reason, str] = {
    "url_unreadable": "Its URL cannot be parsed; update it.",
    "rules_invalid": "Its rules have an invalid value; set them again.",
    "state_invalid": "The stored state of its earlier attempts is invalid, and is reset at the next attempt.",
    "secret_unreadable": "Its signing secret cannot be used; roll it, or check the master keys of the workers.",
    "statement_failed": "The results of its attempts could not be recorded.",
    "internal": "An internal error occurred; see the log of the worker.",
}
SET_ASIDE_S_MIN, SET_ASIDE_S_MAX = 60, 60 * 60  # doubled each time: see webhooks/sql/functions/set_aside.sql
