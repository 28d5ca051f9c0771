"""Stand-ins that speak the vendors' HTTP. They know nothing of our code."""
