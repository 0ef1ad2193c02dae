"""Servers of our own for the tests: started on free ports, killed and restarted at will, gone afterwards."""
