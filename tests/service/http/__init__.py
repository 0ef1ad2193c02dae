"""Tests of the HTTP API, over the wire wherever a wire can show it."""
