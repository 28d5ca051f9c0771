"""One file per vendor: a request in, a typed answer or our error out."""
