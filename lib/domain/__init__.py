"""Pure rules: no network, clock, disk or environment."""
