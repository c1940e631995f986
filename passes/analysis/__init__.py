"""Pure functions of IR and hardware: liveness, footprint, traffic, timing, the search over tiles."""
