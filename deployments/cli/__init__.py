"""The command ``potok``: one file per group of commands."""
