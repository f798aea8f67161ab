"""Coordinate descent from the inside: records as ranks, the compiled sweeps, the archive of all that they price."""
