"""Rebuilds of read models from the log, beside the ones in use (blue/green); nothing is sent again by one."""
