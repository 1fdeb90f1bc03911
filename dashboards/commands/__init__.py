"""One module a command; `dashboards.cli` finds them by name and imports only the one that runs."""
