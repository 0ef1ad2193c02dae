"""The workers: lanes are leased, attempts get slots, results are recorded."""
