"""The door for IDEs: flows, runs, leads, the inbox and recordings as tools of MCP."""
