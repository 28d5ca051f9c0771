"""The map: one file is one flow."""
