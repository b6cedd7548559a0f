"""What travels between the steps: positions, products and ids, with angles, times and files."""
