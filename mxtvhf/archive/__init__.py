"""Archive on disk: inputs as received, products of the runs, and gaps of the streams."""
