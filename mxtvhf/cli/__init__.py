"""The command line ``mxtvhf``: one module for each group of commands."""
