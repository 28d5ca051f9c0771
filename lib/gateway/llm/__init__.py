"""The door to the models."""
