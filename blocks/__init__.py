"""Credentials, and the tasks that use them: one file per vendor."""
