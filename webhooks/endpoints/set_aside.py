"""Why an endpoint is set aside: our own code cannot work with what is stored of it.

Pure. Which of the reasons holds is found out in webhooks/dispatch/workable.py, when the lane is leased.
"""

from typing import Literal

Reason = Literal[
    "url_unreadable", "rules_invalid", "state_invalid", "secret_unreadable", "statement_failed", "internal"
]
WORDS: dict[Reason, str] = {
    "url_unreadable": "Its URL cannot be read; give it another one.",
    "rules_invalid": "Its rules hold a value that none may have; set them again.",
    "state_invalid": "What was stored of its earlier attempts makes no sense, and is begun anew at the next try.",
    "secret_unreadable": "Its signing secret cannot be used; roll it, or have the master keys of the workers checked.",
    "statement_failed": "What was to be recorded of it could not be.",
    "internal": "Our own code failed; the log of the worker says how.",
}
SET_ASIDE_S_MIN, SET_ASIDE_S_MAX = 60, 60 * 60  # doubled each time: see webhooks/sql/functions/set_aside.sql
