"""The door to the models in PostgreSQL: keys, calls, rates, health and kept answers."""
