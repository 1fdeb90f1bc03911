"""Files and databases: the workspace, the import gate, exports. Nothing else in `geo` does I/O."""
