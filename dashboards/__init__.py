"""What a person touches: pages, the server, settings, the command line."""
