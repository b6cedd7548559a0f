"""What is kept on disk: inputs as received, products of the runs, gaps of the streams."""
