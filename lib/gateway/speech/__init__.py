"""The doors of the speech service."""
