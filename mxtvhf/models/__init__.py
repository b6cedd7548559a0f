"""Data models exchanged between the steps: positions, products and ids, with angles, times and files."""
