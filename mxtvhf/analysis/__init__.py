"""Light curve, decay, hardness ratio, spectrum and flux of a source."""
