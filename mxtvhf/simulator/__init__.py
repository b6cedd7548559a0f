"""The satellite, simulated: a burst, its photons, its notices and its downlink."""
