"""Cross-check: compare positions with each other and with catalogues, and recommend one."""
