"""The work pool type ``warm``: flow runs in processes that stand ready."""

POOL = "live"
