"""The event-sourced domain: deciders of customers and their objects, and the event log (the ground floor)."""
