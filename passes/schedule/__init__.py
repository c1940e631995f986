"""From groups to the schedule: what stays on the host, loops and tiles of a layer, and data movement."""
