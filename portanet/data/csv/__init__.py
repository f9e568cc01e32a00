"""CSV files: reading tables, and explaining what is wrong with one."""
