"""Everything breaks at random under load, and at the end nothing that was acknowledged is lost: `make chaos`."""
