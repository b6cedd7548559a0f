"""How near the localisation comes to the Cramer-Rao bound, whether its radii are true, how long it takes."""
