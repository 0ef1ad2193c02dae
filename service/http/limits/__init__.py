"""Load shedding and bounds: what a process takes on at once, of whom, and for how long."""
